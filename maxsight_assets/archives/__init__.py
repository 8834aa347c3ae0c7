"""Reads archives behind one interface: lists their members and extracts them safely.

Here: zip (remote by byte ranges, or local) and tar. Not here: downloads (`transport`) and published directories
(`publishing`). Begin with `archive.py`.
"""
