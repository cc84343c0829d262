"""The two peers of the ingest: `python -m benchmarks.subscribers KIND NAME PORT COUNT DB`.

KIND is "nothing" or "tutorial", NAME the session's, whose messages come by `bench/NAME`.

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


def client(name: str, port: int) -> mqtt.Client:
    """Connect with a session that outlives the connection."""
    made = mqtt.Client(CallbackAPIVersion.VERSION2, name, clean_session=False)
    made.connect("127.0.0.1", port, 60)
    return made


def subscribe(name: str, port: int) -> None:
    """Make the session, so that the broker keeps what is published while nobody reads."""
    made = client(name, port)

    def on_connect(*_: object) -> None:
        made.subscribe(f"bench/{name}", 1)

    def on_subscribe(*_: object) -> None:
        made.disconnect()

    made.on_connect = on_connect
    made.on_subscribe = on_subscribe
    made.loop_forever()


def run(kind: str, name: str, port: int, count: int, database: Path) -> float:
    """Read `count` messages of the waiting session; return messages a second."""
    made = client(name, port)
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
    _, kind, name, port, count, database = sys.argv
    print(run(kind, name, int(port), int(count), Path(database)))
