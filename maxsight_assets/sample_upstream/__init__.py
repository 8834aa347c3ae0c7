"""A small drawn world, published exactly as the real upstreams are and served on loopback, with deliberate faults.

Here: what the pictures show, how the publishers pack them, and what became of each fault. Not here: anything that a
real dataset needs; only `maxsight_assets.sample` imports from here. Begin with `world.py`, or with `things.yaml` to
change how things look.
"""
