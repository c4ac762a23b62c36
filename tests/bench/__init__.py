"""What the gateway costs: CPU per request and per stream, nginx beside it."""
