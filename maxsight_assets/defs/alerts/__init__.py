"""Alerts: what went wrong, and that it is mended, sent to the chat channel of the user.

Here: what counts as one cause, how ended runs and the records show it, and the message. Not here: how a failed run is
tried again (`automation`), and what the terminal shows (`commands`). Begin with `sensors.py`.
"""
