"""What each upstream publishes, in its typed form.

Here: the model of a dataset's `catalog.yaml`, which has facts and a source for each of them. Not here: the facts
themselves (`datasets/<name>/catalog.yaml`), and how much of them a run takes (`profiles`). Begin with `model.py`.
"""
