"""`os` as a board has it: without the computer's environment, and with `uname`."""

import _identity
from _wire import native

globals().update(_identity.names(native["os"]))
uname = _identity.uname
del native, _identity
