"""Prices as facts: what a feed reports and how a recorded bar becomes a path."""
