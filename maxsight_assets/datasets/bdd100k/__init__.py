"""BDD100K: the validation frames and their detection labels, for evaluation only; the shortest folder of a dataset.

Here: its card, labels, format and source. Not here: anything that another dataset needs. Begin with `source.py`.
"""
