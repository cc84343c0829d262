"""The first start: what can be done when no controller runs, and whether a broker takes us."""

import os
import queue
import ssl
from pathlib import Path
from typing import Any, NamedTuple

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

from lampione import keys
from lampione.broker_url import BrokerUrl, BrokerUrlError
from lampione.core.folder import DATABASE, make_private

CONNECT_S = 8.0


class Choice(NamedTuple):
    """What somebody wants at the first start.

    do: "demo", "serve", "commission" or "offline".
    broker: of "serve" and "commission"; "": our own.
    """

    do: str
    broker: str = ""


class BrokerNotThere(Exception):
    """The broker cannot be used; the text says why."""


def has_store(state: Path) -> bool:
    """Say whether a controller has ever run on this folder."""
    return (state / DATABASE).exists()


def parse(text: str) -> BrokerUrl:
    """Return a broker's URL. Raises ValueError with what is wrong."""
    try:
        url = BrokerUrl.of(text.strip(), os.environ)
    except BrokerUrlError as error:
        raise ValueError(str(error)) from None
    if url is None:
        raise ValueError("write mqtt://HOST or mqtts://HOST")
    return url


def try_broker(url: BrokerUrl, within_s: float = CONNECT_S) -> None:
    """Connect to a broker, and go. Raises BrokerNotThere."""
    client = mqtt.Client(CallbackAPIVersion.VERSION2)  # a name of the broker's choice
    if url.user is not None:
        client.username_pw_set(url.user, url.password)
    said: queue.SimpleQueue[Any] = queue.SimpleQueue()
    client.on_connect = lambda *given: said.put(given[3])
    client.connect_timeout = within_s
    try:
        if url.tls:
            context = ssl.create_default_context(cafile=None if url.ca is None else str(url.ca))
            if url.cert is not None and "{shard}" not in str(url.cert):
                context.load_cert_chain(url.cert, url.key)
            client.tls_set_context(context)
        client.connect(url.host, url.port)
        client.loop_start()
        try:
            reason = said.get(timeout=within_s)
        finally:
            client.disconnect()
            client.loop_stop()
    except queue.Empty:
        raise BrokerNotThere(f"{url} does not answer as an MQTT broker does") from None
    except (OSError, ValueError) as error:
        raise BrokerNotThere(f"{url}: {getattr(error, 'strerror', None) or error}") from None
    if reason.is_failure:
        raise BrokerNotThere(f"{url} refuses: {reason}")


def prepare(state: Path) -> None:
    """Make what a controller needs: its folder, and a file of keys. Raises FolderError."""
    make_private(state)
    path = state / keys.FILE
    if not path.exists():
        keys.new(path, [])
