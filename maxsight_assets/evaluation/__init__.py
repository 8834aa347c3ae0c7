"""Evaluation sets in COCO form, and the contract that an mAP run relies on.

Here: how they are made from tables. Not here: reading published directories (`pipeline.derived`), and the rules that
they must keep (`verification.evaluation`). Begin with `build.py`.
"""
