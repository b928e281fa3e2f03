"""Proving a record: chains, two copies of one log, and states folded anew."""
