"""What a lighting program does, told before a node does it: its nights, their cost, its mistakes.

Pure: configs in, values out. The rules are `lampione_light`'s own; nothing is computed in two ways.
"""
