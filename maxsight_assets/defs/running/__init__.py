"""Processes of runs: who waits for whom, which are dead, what they left behind.

Here: the run launcher of dagster.yaml, what hangs, and what is cleared away. Not here: how a run is started (`runs`),
when a run is asked for (`automation`), and what it does (`assets`). Begin with `dead_runs.py`.
"""
