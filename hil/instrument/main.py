# Starts the instrument. Ctrl-C between two frames leaves the REPL, Ctrl-D there starts it again.
from lampione_instrument import app

app.main()
