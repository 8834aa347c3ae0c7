"""The next version of each directory: landed or made, judged, published, and looked after.

Here: `raw` lands any dataset, `derived` makes evaluation sets and splits, `inspection` knows the rules of each
directory, `upkeep` repairs and prunes. Not here: what is particular to one dataset (`datasets`), and how a directory is
swapped in (`publishing`). Begin with `raw.py`.
"""
