"""Writes published splits in the form that another program trains on, into a directory of the user's choice.

One module a form (`maxsight`, `yolo`), and what they share: the version that is exported (`version`), what must hold
before it is put into place (`rules`), the directory (`directory`), and the notes of what was exported (`notes`). What
is in the splits is decided in `splitting`, never here. Begin reading at `yolo`, the shorter one.
"""
