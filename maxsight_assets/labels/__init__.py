"""The names that the detector knows, and the mapping from the publishers' classes to them.

Here: label spaces as text files, the mapping, the detector's formulas, the conditions of low vision. Not here: the rows
of each dataset (`datasets/<name>/labels.csv`). Begin with `space.py`.
"""
