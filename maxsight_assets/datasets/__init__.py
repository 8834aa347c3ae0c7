"""One folder per dataset, independent of each other; beside them, what all of them share.

Here: what each publisher offers (`catalog.yaml`), what its classes mean (`labels.csv`), and its files, rules and
directory. Not here: rules that hold for every dataset (`verification`), and how a version is landed (`pipeline.raw`).
Begin with `coco/source.py`.
"""
