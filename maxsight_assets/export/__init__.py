"""Write published splits in the format that another program trains on, into a directory of the user's choice.

Here: one module per format (`maxsight`, `yolo`), and what they share: the exported version (`version`), the rules that
an export must keep (`rules`), its directory (`directory`), and the notes of earlier exports (`notes`). Not here: the
content of the splits and the order of their boxes, which `splitting` decides. How many boxes of an image MaxSight keeps
is in `maxsight_training.yaml`. Begin with `yolo.py`, the shorter format.
"""
