"""What every deciding service is put together from: log, bus, outbox, inbox, health, in one order of life."""
