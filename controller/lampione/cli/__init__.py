"""The command line: a thin front end over the core's socket; it owns no logic."""
