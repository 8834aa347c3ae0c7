"""The detector's words, and what publishers' classes are called in them.

Here: label spaces as text files, the mapping, the detector's formulas. Not here: the rows of each dataset
(`datasets/<name>/labels.csv`). Begin with `space.py`.
"""
