"""Answers like a Solana node that runs Drift, on a simulated market."""
