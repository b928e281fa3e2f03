"""Tells people what happened, without flooding them."""
