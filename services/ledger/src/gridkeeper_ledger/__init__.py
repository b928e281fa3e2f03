"""Keeps the books of every grid and account."""
