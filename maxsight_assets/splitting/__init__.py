"""From tables of images and boxes to the three splits.

Here: groups of equal pictures, the leak guard, strategies, the split files and their report. Not here: cleaning
(`cleaning`), reading published directories and publishing (`pipeline.derived`). Begin with `build.py`.
"""
