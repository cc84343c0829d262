"""Drivers: they take a ready-made bus, and touch it only when asked to."""
