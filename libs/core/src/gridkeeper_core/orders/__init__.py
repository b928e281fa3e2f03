"""Orders on their way to the venue and back: attempts, slots, risk gate, reconciliation."""
