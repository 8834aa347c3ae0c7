"""What Dagster sees: assets, checks, automation, resources, and the supervision of runs.

Here: wiring and metadata; only this folder, `build` and `definitions` import Dagster. Not here: the work itself, which
is in `pipeline` and below. Begin with `assets/raw.py`.
"""
