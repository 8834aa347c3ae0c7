"""A small drawn world, published exactly as the real upstreams are and served on loopback."""
