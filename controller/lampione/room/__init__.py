"""The control room: who may do what, what was done, which lamps are locked. Values and rules."""
