"""What Dagster sees: assets, checks, automation, resources, and the supervision of runs.

Here: wiring and metadata; only this folder, `build` and `definitions` import Dagster. Not here: the work itself, which
is in `pipeline` and below, and the fields of a Launchpad form, which stand in their models (`cleaning.config`,
`splitting.config`, `profiles.model`, `datasets.<name>.selection`). Begin with `assets/raw.py`.
"""
