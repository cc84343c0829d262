from typing import Any
Clock = Measure = Node = Uplink = Board = Any
