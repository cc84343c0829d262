# Starts the node. Ctrl-C ends it and leaves the REPL, with the lamp at its design level.
from lampione_node import app

app.main()
