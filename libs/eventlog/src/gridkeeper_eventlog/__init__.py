"""Event store, inbox positions and outbox on PostgreSQL."""
