"""From a staged tree to a published, verified directory.

Here: stage, swap, lock, manifest, acceptance, maintenance, preflight. Not here: networks, archives and datasets;
files are given to a stage. Begin with `stage.py`.
"""
