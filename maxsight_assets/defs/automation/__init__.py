"""Keep the graph fresh: sensors, schedules, and the condition that requests a refresh.

Here: when a run is requested. Not here: what a run does (`assets`), and how a killed run is handled
(`running`). Begin with `condition.py`.
"""
