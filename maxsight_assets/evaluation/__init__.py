"""Make evaluation sets in COCO format, and the contract that an mAP run relies on.

Here: making the sets from tables. Not here: reading published directories (`pipeline.derived`), and the rules that the
sets must keep (`verification.evaluation`). Begin with `build.py`.
"""
