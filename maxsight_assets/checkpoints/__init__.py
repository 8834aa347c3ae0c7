"""Sync the detector's checkpoints, one directory a condition, from where a training run left them.

Here: the layouts in which they are found, what a sound file is, and the sync of one condition. Not here: fetching
(`transport`), publishing (`publishing`), and the asset (`defs.assets.checkpoints`). Begin with `sync.py`.
"""
