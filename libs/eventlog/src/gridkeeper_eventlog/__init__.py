"""The event log of a service: streams with a hash chain, inbox positions and an outbox, on PostgreSQL."""
