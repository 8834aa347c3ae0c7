"""The assets: one factory for raw datasets and their upstreams, one module for each derived asset.

Here: the asset's page, its launchpad form, its metadata. Not here: how a directory is made (`pipeline`). Begin with
`raw.py`.
"""
