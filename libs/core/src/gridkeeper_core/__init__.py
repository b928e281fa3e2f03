"""Pure rules of the grid, orders, books and venue: no I/O, no clock, no randomness."""
