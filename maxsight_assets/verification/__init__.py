"""Rules that a published directory must keep; they gate publishing and are the asset checks.

Here: rules for every dataset, for evaluation sets and for splits. Not here: rules of one dataset
(`datasets/<name>/rules.py`), and rules about single records (`cleaning`). Begin with `raw.py`.
"""
