"""A local Solana JSON-RPC endpoint that speaks Drift on a simulated market."""
