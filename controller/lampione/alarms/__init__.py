"""Alarms: conditions of nodes, judged at the time of what was measured. Pure."""
