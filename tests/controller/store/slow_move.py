"""A move that says each piece and then waits, so that it can be killed there: FROM TO."""

import sys
import threading

from lampione.store import move
from lampione.store.engine import open_carrier

from tests.controller.store.contract import T0

source, target = sys.argv[1:]
told = 0


def tell(progress: move.Progress) -> None:
    global told
    print(progress.step, flush=True)
    told += 1
    if told > 1:
        threading.Event().wait()


move.move(open_carrier(source), open_carrier(target, target=True), tell, T0)
