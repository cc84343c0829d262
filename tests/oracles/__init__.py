"""Makers' own packages against our models of their parts, each in a process of its own."""
