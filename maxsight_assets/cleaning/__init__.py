"""Drop or repair records that break a rule, and account for each of them in the ledger.

Here: functions over tables, which read no file. Not here: rules about a whole directory (`verification`), and the
search for images that show the same picture (`images.groups`). Begin with `rules.py`.
"""
