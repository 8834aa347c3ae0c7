"""The asset checks: the rules of each published directory, as Dagster shows them.

Here: one factory. Not here: the rules (`verification`, `datasets/<name>/rules.py`), and the choice of rules for each
directory (`pipeline.inspection`). Begin with `published.py`.
"""
