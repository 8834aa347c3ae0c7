"""Sensors, schedules and the condition that asks for a refresh."""
