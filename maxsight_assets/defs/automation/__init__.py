"""What keeps the graph fresh: sensors, schedules, and the condition that asks for a refresh.

Here: when a run is asked for. Not here: what a run does (`assets`), and what becomes of a killed one (`health`,
`launcher`). Begin with `condition.py`.
"""
