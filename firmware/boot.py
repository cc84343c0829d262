# Runs before main.py at every start. Nothing to do: the node starts in main.py.
