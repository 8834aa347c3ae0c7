"""ADE20K: the validation scenes and their masks, for evaluation only.

Here: its card, labels, format and source. Not here: anything that another dataset needs. Begin with `source.py`.
"""
