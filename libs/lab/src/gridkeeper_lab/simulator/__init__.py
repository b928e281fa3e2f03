"""All services' machines in one process, on a bus, a database, a venue and clocks that fail as a tape says."""
