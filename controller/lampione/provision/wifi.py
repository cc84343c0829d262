"""The network that nodes join: from a private file, or asked for. Never shown.

ssid = "city-lighting"        a TOML file of mode 0600
password = "..."
"""

import getpass
import tomllib
from pathlib import Path

from pydantic import ValidationError

from lampione import private
from lampione.config.model import Wifi
from lampione.provision.errors import ProvisionError

_FORM = 'write two lines: ssid = "..." and password = "..."'


def read(path: Path) -> Wifi:
    """Return the credentials of a file. Raises ProvisionError, which never quotes it."""
    try:
        document = tomllib.loads(private.read(path).decode("utf-8-sig"))
    except private.NotPrivateError as error:
        raise ProvisionError(str(error), "and change the password if somebody read it") from None
    except FileNotFoundError:
        raise ProvisionError(f"the Wi-Fi file {path} is missing", _FORM) from None
    except OSError as error:
        raise ProvisionError(f"{path}: {error.strerror}", "see who may read it") from None
    except (ValueError, RecursionError):  # not TOML, not UTF-8
        raise ProvisionError(f"{path} is no Wi-Fi file", _FORM) from None
    return checked(document, str(path))


def ask(ssid: str | None = None) -> Wifi:
    """Ask whoever is at the keyboard. Raises ProvisionError, EOFError."""
    if ssid is None:
        ssid = input("Wi-Fi network: ").strip()
    return checked({"ssid": ssid, "password": getpass.getpass("its password: ")}, "that")


def checked(document: object, what: str) -> Wifi:
    """Return credentials that were said. Raises ProvisionError, which never quotes them."""
    try:
        return Wifi.model_validate(document)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False, include_context=False)[0]
        place = ".".join(str(step) for step in first["loc"]) or "it"
        raise ProvisionError(f"{what}: {place}: {first['msg']}", _FORM) from None
