"""Draws scenes: shapes, things made of shapes (`things.yaml`), scenes made of things.

Here: what a picture looks like, and where each thing in it is. Not here: how publishers name and pack the pictures.
Begin with `studio.py`.
"""
