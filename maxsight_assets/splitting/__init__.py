"""Divide tables of images and boxes into the three splits.

Here: groups of images that show the same picture, the leak guard, strategies, the split files and their report. Not
here: cleaning (`cleaning`), reading published directories and publishing (`pipeline.derived`). Begin with `build.py`.
"""
