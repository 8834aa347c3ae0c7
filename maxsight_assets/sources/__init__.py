"""For each upstream: what to take from it and how its directory is laid out."""
