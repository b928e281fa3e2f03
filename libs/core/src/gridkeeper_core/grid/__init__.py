"""The rules of a grid: configuration, levels, cells, window, range and the decisions that follow."""
