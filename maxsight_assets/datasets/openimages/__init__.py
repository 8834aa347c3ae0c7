"""Open Images V6: boxes of chosen classes, and the images that carry them.

Here: which images are chosen (`choice`), how the publisher's tables are read (`format*`), and where images come from
(`images`). Not here: anything that another dataset needs. Begin with `source.py`.
"""
