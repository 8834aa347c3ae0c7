"""COCO 2017: train2017 and val2017 with their instance annotations.

Here: its card, labels, selection, rules, and the check of any COCO directory (`verify`). Not here: COCO's file format,
in which the outputs are written too (`formats.coco`). Begin with `source.py`.
"""
