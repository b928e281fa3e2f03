"""Publishes prices: synthetic, recorded or live."""
