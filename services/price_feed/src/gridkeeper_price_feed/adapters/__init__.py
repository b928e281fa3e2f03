"""How the price-feed reaches files, sources and the bus."""
