"""A small drawn world, published exactly as the real upstreams are and served on loopback, with faults on purpose.

What the pictures show, how the publishers pack it, and what became of each fault. Nothing that a real dataset needs:
only `maxsight_assets.sample` imports from here. Begin with `world`, or with `things.yaml` to change how things look.
"""
