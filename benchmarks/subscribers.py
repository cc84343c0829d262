"""The two peers of the ingest: `python -m benchmarks.subscribers nothing|tutorial PORT COUNT DB`.

Both are paho as its own examples use it: a callback a message, acknowledged by the library. The
first stores nothing, which is the limit of broker and library; the second is what tutorials do:
`json.loads`, one insert and one commit a message, SQLite's default journal.
"""

import json
import sqlite3
import sys
import time
from pathlib import Path

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

TOPIC = "lampione/v1/bench/+/up"


def client(name: str, port: int) -> mqtt.Client:
    """Connect with a session that outlives the connection."""
    made = mqtt.Client(CallbackAPIVersion.VERSION2, name, clean_session=False)
    made.connect("127.0.0.1", port, 60)
    return made


def subscribe(name: str, port: int) -> None:
    """Make the session, so that the broker keeps what is published while nobody reads."""
    made = client(name, port)
    made.on_connect = lambda *_: made.subscribe(TOPIC, 1)
    made.on_subscribe = lambda *_: made.disconnect()
    made.loop_forever()


def run(kind: str, port: int, count: int, database: Path) -> float:
    """Read `count` messages of the waiting session; return messages a second."""
    made = client(f"bench-{kind}", port)
    times: list[float] = []
    if kind == "tutorial":
        connection = sqlite3.connect(database)
        connection.execute("CREATE TABLE reports (topic TEXT, start INT, laeq REAL, body TEXT)")

    def on_message(_client: mqtt.Client, _userdata: object, message: mqtt.MQTTMessage) -> None:
        if kind == "tutorial":
            report = json.loads(message.payload)
            connection.execute(
                "INSERT INTO reports VALUES (?, ?, ?, ?)",
                (message.topic, report["start"], report["laeq"], json.dumps(report)),
            )
            connection.commit()
        times.append(time.perf_counter())
        if len(times) == count:
            made.disconnect()

    made.on_message = on_message
    made.loop_forever()
    return (len(times) - 1) / (times[-1] - times[0])


if __name__ == "__main__":
    print(run(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), Path(sys.argv[4])))
