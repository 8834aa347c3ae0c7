"""What a user types: one module a family of verbs.

Here: arguments, printed text and exit statuses; only this folder prints. Not here: work on data, which `pipeline`
and the folders below it do. Begin with `app.py`; what several
commands print is in `printing.py`.
"""
