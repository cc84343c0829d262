"""What ctrl+p offers: every view, and every key of the one that is seen."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING, cast

from textual.command import DiscoveryHit, Hit, Hits, Provider

from lampione.tui.views import VIEWS

if TYPE_CHECKING:
    from lampione.tui.app import LampioneApp


class Offers(Provider):
    """Views and keys."""

    def _all(self) -> Iterator[tuple[str, str, Callable[[], object]]]:
        app = cast("LampioneApp", self.app)
        for place in VIEWS:
            yield f"go to {place.name}", place.summary, partial(app.go, place.name)
        for active in self.screen.active_bindings.values():
            binding = active.binding
            if binding.description and not binding.system:
                run = partial(app.run_action, binding.action, active.node)
                yield binding.description, app.get_key_display(binding), run
        yield "dark or light", "change the colours", app.action_toggle_light

    async def discover(self) -> Hits:
        """Offer everything."""
        for name, about, run in self._all():
            yield DiscoveryHit(name, run, help=about)

    async def search(self, query: str) -> Hits:
        """Offer what fits."""
        matcher = self.matcher(query)
        for name, about, run in self._all():
            score = matcher.match(name)
            if score > 0:
                yield Hit(score, matcher.highlight(name), run, help=about)
