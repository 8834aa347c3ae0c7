"""Publishes a staged tree as a verified directory, in one step, and looks after what is published.

Here: stage, swap, lock, manifest, acceptance, maintenance, preflight. Not here: downloads (`transport`), archives
(`archives`) and datasets (`datasets`); the caller writes the files into a stage. Begin with `stage.py`.
"""
