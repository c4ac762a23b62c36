"""How many tokens a request comes to: the upstream's own count, else an estimate that learns."""
