"""Bytes of the Drift program both ways: accounts, instructions, events, addresses."""
