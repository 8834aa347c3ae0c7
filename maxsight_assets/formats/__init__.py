"""Annotation files, to and from the one table model.

Here: the table model, COCO's form (which is also the form of the outputs), strict JSON, masks, ids. Not here: formats
of a single dataset (`datasets/<name>/format*.py`), and judgements about values (`cleaning`). Begin with `tables.py`.
"""
