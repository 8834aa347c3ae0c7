"""Reads the content of image files: whether they decode, how large they are, what they look like.

Here: facts by content, fingerprints, groups of images that show the same picture, contact sheets. Not here: judgements
about an image (`cleaning`), and what follows from a group (`splitting`, `evaluation`). Begin with `facts.py`.
"""
