"""The next version of each directory: landed or made, judged, published, and looked after.

Here: `raw` lands any dataset, `derived` makes evaluation sets and splits, `inspection` says which rules hold where,
`upkeep` mends what is there. Not here: what is peculiar to a dataset (`datasets`), and how a directory is swapped in
(`publishing`). Begin with `raw.py`.
"""
