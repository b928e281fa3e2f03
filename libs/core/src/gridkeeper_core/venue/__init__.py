"""The venue as data, and a model of it that executes orders on a simulated market."""
