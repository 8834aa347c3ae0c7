"""What is in an image file: whether it decodes, how large it is, what it looks like.

Here: facts by content, fingerprints, contact sheets. Not here: judgements about an image (`cleaning`), and which images
belong together (`splitting.groups`). Begin with `facts.py`.
"""
