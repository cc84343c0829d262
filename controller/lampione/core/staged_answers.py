"""The operations on rollouts in stages."""

from collections.abc import Callable

from lampione import api
from lampione.api import Json
from lampione.core.config_answers import blobs_of, trial_of
from lampione.core.requests import NODES_MAX, Bad, InCore, number, text
from lampione.fleet.staged import ALL, Plan
from lampione.fleet.stages import Rules, StagesRefused, sizes
from lampione.room.who import present

DOES = ("pause", "resume", "abort", "retry", "revert")
SOAK_MAX_S = 30 * 86400
WAIT_S = 600  # beyond a trial, until a node without an outcome has failed


class StagedAnswers(InCore):
    """The operations on rollouts in stages, for the server's event loop."""

    async def plan(self, request: dict[str, Json]) -> api.Staged:
        """See `api`. Of many nodes in pieces: the first ones leave a draft, the last starts it."""
        who = present()
        blobs = blobs_of(request)
        trial_s = trial_of(request)
        rules = Rules(
            soak_s=number(request, "soak_s", 0, 0, SOAK_MAX_S),
            stop_percent=number(request, "stop_percent", 0, 0, 100),
            at_once=int(number(request, "at_once", 0, 0, NODES_MAX)),
            wait_s=number(request, "wait_s", trial_s + WAIT_S, 1, SOAK_MAX_S),
        )
        plan = _plan(request)
        draft = int(number(request, "draft", 0, 1, ALL))
        staged = self._core.staged
        more = request.get("more") is True
        if not draft and not more and not blobs.keys() >= set(plan.canaries):
            raise Bad("request", "a canary is not among the nodes")

        def begin() -> api.Staged:
            for name in blobs:
                self._node(name)
            try:
                staged.check_free(blobs)
                rollout = draft or staged.draft("config", who.operator, rules, {"trial_s": trial_s})
                staged.add(rollout, blobs)
                if not more:
                    staged.start(rollout, plan)
                    nodes = len(staged.one(rollout, 0).get("nodes", ()))
                    self._core.deeds.record(
                        who, "rollout", rollout=rollout, do="start", nodes=nodes
                    )
            except StagesRefused as refused:
                raise Bad("refused", str(refused)) from None
            except ValueError as error:
                raise Bad("request", str(error)) from None
            return staged.head(rollout) if more else staged.one(rollout, 0)

        return await self._about(draft, begin)

    async def _about(self, rollout: int, question: Callable[[], api.Staged]) -> api.Staged:
        try:
            found: api.Staged = await self.in_core(question)
        except KeyError:
            raise Bad("request", f"there is no rollout {rollout}") from None
        return found

    async def rollouts(self, request: dict[str, Json]) -> list[api.Staged]:
        """See `api`."""
        limit = int(number(request, "limit", 20, 1, 1000))
        found: list[api.Staged] = await self.in_core(lambda: self._core.staged.all(limit))
        return found

    async def rollout(self, request: dict[str, Json]) -> api.Staged:
        """See `api`."""
        rollout = int(number(request, "rollout", 0, 1, ALL))
        since = int(number(request, "since", 0, 0, 1e15))
        do = text(request, "do", None)
        if not rollout:
            raise Bad("request", "rollout needs rollout, its number")
        if do is not None and do not in DOES:
            raise Bad("request", f"do is one of {', '.join(DOES)}")
        staged = self._core.staged
        who = present()

        def look() -> api.Staged:
            try:
                if do is not None:
                    staged.act(rollout, do)
                    self._core.deeds.record(who, "rollout", rollout=rollout, do=do)
            except StagesRefused as refused:
                raise Bad("refused", str(refused)) from None
            return staged.one(rollout, since)

        return await self._about(rollout, look)


def _plan(request: dict[str, Json]) -> Plan:
    """Return canaries and waves. Raises Bad."""
    canary, waves = request.get("canary", 0), request.get("waves", [])
    names = canary if isinstance(canary, list) else []
    if names != canary and (type(canary) is not int or not 0 <= canary <= NODES_MAX):
        raise Bad("request", "canary is how many nodes, or their names")
    if not isinstance(waves, list) or not all(isinstance(text, str) for text in [*names, *waves]):
        raise Bad("request", "waves is a list of texts, as 25 or 10%")
    plan = Plan(0 if isinstance(canary, list) else canary, names, waves)
    try:
        sizes(1, plan.canary, plan.waves)
    except ValueError as error:
        raise Bad("request", str(error)) from None
    return plan
