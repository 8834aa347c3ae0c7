"""Reads the content of image files: whether they decode, how large they are, what they look like.

Here: facts by content, fingerprints, contact sheets. Not here: judgements about an image (`cleaning`) and groups of
images (`splitting.groups`). Begin with `facts.py`.
"""
