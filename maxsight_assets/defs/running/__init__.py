"""Runs and their processes: started from the command line, waited for, found dead, healed, cleared away.

Here: the run launcher of dagster.yaml, runs of the command line, what hangs and what is left behind. Not here: when a
run is asked for (`automation`), and what it does (`assets`). Begin with `runs.py`.
"""
