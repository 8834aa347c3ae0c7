"""BDD100K: the validation frames and their detection labels, for evaluation only. This is the shortest dataset folder.

Here: its card, labels, format and source. Not here: anything that another dataset needs. Begin with `source.py`.
"""
