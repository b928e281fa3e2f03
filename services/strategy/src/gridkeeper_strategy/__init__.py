"""Decides which orders each grid wants."""
