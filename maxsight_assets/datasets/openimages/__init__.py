"""Open Images V6: boxes of chosen classes, and the images that carry them.

Here: the choice of images (`choice`), the readers of the publisher's tables (`format*`), and the places that serve
images (`images`). Not here: anything that another dataset needs. Begin with `source.py`.
"""
