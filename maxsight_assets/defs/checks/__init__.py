"""The asset checks: the rules of each published directory, as Dagster shows them.

Here: one factory. Not here: the rules (`verification`, `datasets/<name>/rules.py`), and which of them hold where
(`pipeline.inspection`). Begin with `published.py`.
"""
