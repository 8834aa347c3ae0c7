"""Reads annotation files into the one table model, and writes them from it.

Here: the table model, COCO's format (which the outputs use, too), strict JSON, masks, ids. Not here: formats of a
single dataset (`datasets/<name>/format*.py`) and judgements about values (`cleaning`). Begin with `tables.py`.
"""
