"""The node on a USB cable: who it is, its log, its lamp, its outbox, its Wi-Fi."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, ClassVar

from textual.binding import Binding, BindingType

from lampione.config.model import Wifi
from lampione.desk import street, street_sheet
from lampione.desk.work import Answer, Job
from lampione.room.who import CONFIGURE, Who
from lampione.tui.bars import Title
from lampione.tui.dialogs import Ask, Confirm
from lampione.tui.node_sheet import Sheet
from lampione.tui.view import View

_WIDTH = 60
_HINT = "plug a node in, then: enter asks who it is, l hears its log"
_STOPS = "its program stops meanwhile and starts again at the end; it reports a minute later"


class AttachView(View):
    """See the module."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter,a", "status", "Who"),
        Binding("l", "log", "Log"),
        Binding("t", "lamp", "Lamp"),
        Binding("o", "outbox", "Outbox"),
        Binding("w", "wifi", "Wi-Fi"),
        Binding("x", "reset", "Restart"),
        Binding("c", "stop", "Stop that", show=False),
    ]
    AUTO_FOCUS = "Sheet"
    DEFAULT_CSS = "AttachView #name { height: 1; background: $panel; padding: 0 1; }"

    def __init__(self) -> None:
        super().__init__()
        self._serial: str | None = None
        self._found: dict[str, Any] = {}
        self._checks: Any = ()
        self._lines: list[str] = []
        self._job: Job | None = None
        self._doing = ""

    def argument(self, text: str) -> None:
        """Take the serial number of the board that is meant."""
        self._serial = text

    def body(self) -> Iterable[Any]:
        """What is being done, the sheet."""
        self._title = Title(id="name")
        self._sheet = Sheet()
        yield self._title
        yield self._sheet

    def here(self) -> str | None:
        """Return the node on the cable, once it has said who it is."""
        return self._found.get("node") or None

    def on_resize(self) -> None:
        """Lay out anew."""
        self.call_after_refresh(self.show_all)

    def left(self) -> None:
        """Whatever is under way comes to its end, and the node runs again."""
        self.action_stop()

    def on_unmount(self) -> None:
        """The same where the screen ends."""
        self.action_stop()

    def renew(self, changed: frozenset[str]) -> None:  # noqa: ARG002
        """Show everything: it is little."""
        self._show()

    def _show(self) -> None:
        if not self._sheet.is_mounted:
            return
        doing = f"{self._doing} (c stops it; the node starts again)" if self._doing else ""
        self._title.text = doing or (
            f"{self._found['node']} on the cable" if self._found else _HINT
        )
        parts = []
        if self._found:
            parts = [street_sheet.about(self._found)]
            parts += street_sheet.values(self._found, self.desk.now())
        if self._checks:
            parts.insert(0, street_sheet.findings(self._checks))
        if self._lines or self._doing == "listening":
            listening = self._doing == "listening"
            parts.insert(0, street_sheet.log(self._lines, listening=listening))
        self._sheet.show(parts, _WIDTH)

    @property
    def _state(self) -> Path:
        return self.desk.state or Path("/dev/null")  # no folder: no keys, no store

    @property
    def _call(self) -> street.Call:
        return self.desk.call if self.desk.link is None else street.nobody

    def _may(self) -> bool:
        """Say whether something may be done to the node; a cable needs no controller."""
        why = self.lampione.why_read_only
        if why is not None and (self.desk.link is None or self.lampione.opened_read_only):
            self.say(f"nothing can be changed: {why}", "warning")
            return False
        if self._job is not None:
            self.say(f"{self._doing}: wait for its end, or c stops it", "warning")
            return False
        return True

    def _run(
        self,
        doing: str,
        work: Callable[[str, Callable[[], None], Any], Any],
        done: Callable[[Any], None],
        each: Callable[[Any], None] = lambda _: None,
    ) -> None:
        """Do something with the board; work(port, check, told) in a thread."""
        serial = self._serial
        self._doing = doing

        def run(job: Job) -> Any:
            def told(what: str, part: float | None) -> None:
                job.tell(("step", what, part))

            return work(street.port_of(serial), job.check, told)

        def heard(item: Any) -> None:
            if isinstance(item, tuple) and item and item[0] == "step":
                share = "" if item[2] is None else f" {item[2]:.0%}"
                self._doing = f"{item[1]}{share}"
            else:
                each(item)
            self._show()

        def over(answer: Answer) -> None:
            self._job, self._doing = None, ""
            if answer.kind == "cancelled":
                self.say("stopped")
            elif answer.error is not None:
                self.say(answer.error, "error")
            else:
                done(answer.result)
            self._show()

        self._show()
        job = self.desk.run(run, over, heard)
        if self._doing:
            self._job = job

    def action_stop(self) -> None:
        """Stop what is under way."""
        if self._job is not None:
            self._job.cancel()

    def action_status(self) -> None:
        """Ask who it is."""
        if not self._may():
            return
        state = self._state

        def known(found: Any) -> None:
            self._found = found
            self.say(f"{found['node'] or 'a node without a name'} runs again")

        self._run(
            "asking who it is",
            lambda port, check, told: street.status(port, state, check, told),
            known,
        )

    def action_log(self) -> None:
        """Begin to hear what it prints, or end it."""
        if self._doing == "listening":
            self.action_stop()
        elif self._job is None:
            self._lines = []
            # Nothing is stopped for it: whoever may look may hear.
            self._listen()
        else:
            self._may()

    def _listen(self) -> None:
        serial = self._serial
        self._doing = "listening"

        def run(job: Job) -> int:
            return street.hear(street.port_of(serial), job.tell, job.check)

        def each(line: str) -> None:
            self._lines = [*self._lines[1 - street_sheet.LOG_LINES :], line]
            self._show()

        def over(answer: Answer) -> None:
            self._job, self._doing = None, ""
            if answer.error is not None and answer.kind != "cancelled":
                self.say(answer.error, "error")
            self._show()

        job = self.desk.run(run, over, each)
        if self._doing:
            self._job = job
        self._show()

    def action_lamp(self) -> None:
        """Test the lamp."""
        if not self._may():
            return

        def known(found: Any) -> None:
            node, self._checks = found
            self.say(f"{node} runs again, its lamp by its program")

        self.confirm(
            Confirm(
                "test the lamp?",
                ("0 %, 50 % and 100 %, some seconds each, then the design level:", _STOPS),
            ),
            lambda: self._run(
                "lamp",
                lambda port, check, told: street.lamp(
                    port, self._call, check, told, lambda _: None, street.SETTLE_MS
                ),
                known,
            ),
        )

    def action_outbox(self) -> None:
        """Take its frames to the controller, or the store."""
        if not self._may():
            return
        state = self._state

        def known(found: Any) -> None:
            if not found["frames"]:
                self.say(f"{found['node']}: nothing that is not acknowledged")
            else:
                self.say(
                    f"{found['node']}: {found['frames']} frames to the {found['to']}: "
                    f"{found['stored']} new, {found['duplicates']} there already"
                )

        who = Who(str((self.desk.who or {}).get("operator") or "somebody"), CONFIGURE, "cable")
        self._run(
            "reading its outbox",
            lambda port, check, told: street.outbox(port, state, self._call, check, told, who),
            known,
        )

    def action_wifi(self) -> None:
        """Give it another network."""
        if self._may():
            self.ask_for(Ask("which network?", check=_ssid), self._password)

    def _password(self, ssid: str) -> None:
        self.ask_for(
            Ask(f"the password of {ssid}", (_STOPS,), check=lambda text: _wifi(ssid, text),
                secret=True),
            lambda password: self._give(_wifi(ssid, password)),
        )  # fmt: skip

    def _give(self, network: Wifi) -> None:
        self._run(
            "settings",
            lambda port, check, told: street.wifi(port, network, self._call, check, told),
            lambda found: self.say(f"{found['node']} has started with {found['ssid']}"),
        )

    def action_reset(self) -> None:
        """Start it anew."""
        if not self._may():
            return
        self.confirm(
            Confirm("start the node anew?", ("its lamp goes to the design level for seconds",)),
            lambda: self._run(
                "starting the node",
                street.reset,
                lambda found: self.say(
                    f"{found['node'] or 'a node without settings'} has started, "
                    f"firmware {found['firmware']}"
                ),
            ),
        )


def _ssid(text: str) -> None:
    _wifi(text, "")


def _wifi(ssid: str, password: str) -> Wifi:
    """Return a network. Raises ValueError, which never quotes the password."""
    try:
        return Wifi.model_validate({"ssid": ssid.strip(), "password": password})
    except ValueError:
        raise ValueError(
            "1 to 32 characters for the network, 64 at most for its password"
        ) from None
