"""How much of each upstream a run lands if the user states nothing else.

Here: one YAML file for each profile, and its typed form. Not here: what an upstream offers (`catalog`), and the type of
each selection (`datasets/<name>`). Begin with `starter.yaml`.
"""
