"""Charts of what was run, and how many instances there were."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from cogyard.domain import usage
from cogyard.domain.autoscale import InstanceView, Phase
from cogyard.domain.deployables import deployment_of, is_training, version_of
from cogyard.domain.usage import Column, Span
from cogyard.features.usage.ports import About, Runner, UsageStore
from cogyard.features.world import World

#: Hours that are kept: the longest chart's, and a step more.
KEPT_HOURS = Span.WEEK.hours + Span.WEEK.step


@dataclass(frozen=True, kw_only=True)
class Usage:
    """Reads what was counted. Whoever asks has made sure that it may be shown."""

    store: UsageStore
    world: World = field(default_factory=World)
    _seen: dict[int, dict[Runner, int]] = field(default_factory=dict)
    _kept: dict[int, dict[Runner, int]] = field(default_factory=dict)
    """What is written down already of the hours in view: a platform where nothing happens writes nothing."""

    async def of(self, about: About, span: Span) -> tuple[Column, ...]:
        """Return the columns of the charts, the oldest first."""
        now = self.world.now()
        first = usage.first_hour(span, now)
        tallies = await self.store.tallies(about, first, span.step)
        # An account's run where they can, beside those of others: whose they are nobody could say.
        instances = {} if about.account_id is not None else await self.store.instances(about, first)
        return usage.columns(tallies, instances, span, now)

    def observe(self, views: Sequence[InstanceView]) -> None:
        """Take the instances that there are at this moment; `keep` writes them down."""
        hour = usage.hour_of(self.world.now())
        seen = self._seen.setdefault(hour, {})
        there = Counter(
            Runner(version_of(view.deployable), deployment_of(view.deployable) or 0)
            for view in views
            if view.phase is not Phase.DRAINING and not is_training(view.deployable)
        )
        for runner, count in there.items():
            seen[runner] = max(count, seen.get(runner, 0))

    async def keep(self) -> None:
        """Write down what was seen, and forget what is old. Call it now and then."""
        hour = usage.hour_of(self.world.now())
        begins = hour not in self._kept
        for each in sorted(self._seen):
            most = dict(self._seen[each])
            if most != self._kept.get(each, {}):
                await self.store.note(each, most)
                self._kept[each] = most
        self._kept.setdefault(hour, {})
        for past in [each for each in {*self._seen, *self._kept} if each < hour]:
            self._seen.pop(past, None)
            self._kept.pop(past, None)
        if begins:
            await self.store.prune(hour - KEPT_HOURS)
