"""Rules that make one record unfit, and the ledger of what was done about it.

Here: functions of tables; no file is read. Not here: rules about a whole directory (`verification`), and which images
show the same picture (`splitting.groups`). Begin with `rules.py`.
"""
