"""The typed form of what each upstream publishes.

Here: the model of a dataset's `catalog.yaml`, which has facts and a source for each fact. Not here: the facts
themselves (`datasets/<name>/catalog.yaml`), and how much of the upstream a run lands (`profiles`). Begin with
`model.py`.
"""
