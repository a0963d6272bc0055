"""Endpoints: where an account is told of all its predictions, beside the webhook that a prediction may name itself.

Theory of operation. Which endpoints there are is asked at every change of every prediction, so it is at hand here, in
this process, and read from the store only when an endpoint changes. A letter that was written for an endpoint which is
gone, or told no more, is dropped by whoever delivers it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from cogyard.domain.ids import ID_RANDOM_BYTES, is_id, new_id, new_webhook_secret
from cogyard.domain.names import split_model
from cogyard.domain.roles import Role
from cogyard.domain.values import Account
from cogyard.domain.webhooks import (
    URL_LIMIT,
    Audience,
    Listener,
    Targets,
    chosen_events,
    events_problem,
    has_failed_too_long,
)
from cogyard.features.accounts.service import SECRET_OVERLAP, WEBHOOK_SECRET_BYTES
from cogyard.features.webhooks.ports import ChangeEndpoint, EndpointStore, WebhookEndpoint
from cogyard.features.world import World
from cogyard.http.errors import ConflictError, ForbiddenError, InvalidError, NotFoundError

#: Of one account.
MOST_ENDPOINTS = 20


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What an endpoint is to be; None leaves it as it is."""

    url: str | None = None
    events: Sequence[str] | None = None
    model: str | None = None
    """`owner/name`; an empty text is any model."""
    enabled: bool | None = None


@dataclass(frozen=True, kw_only=True)
class Endpoints:
    """An account's endpoints are seen by that account alone, an organization's by members and changed by admins.

    Call `load()` before predictions change.
    """

    store: EndpointStore
    targets: Targets = field(default_factory=Targets)
    world: World = field(default_factory=World)
    _heard: dict[int, tuple[Listener, ...]] = field(default_factory=dict)
    _lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    def audience(self) -> Audience:
        """Return who listens, as it is at hand."""
        return self._heard

    async def load(self) -> None:
        """Read who listens."""
        for account_id in {each.account_id for each in await self.store.list()}:
            await self._refresh(account_id)

    async def list(self, caller: Account) -> tuple[WebhookEndpoint, ...]:
        """Return the caller's endpoints, the oldest first."""
        return await self.of(caller.id)

    async def of(self, account_id: int) -> tuple[WebhookEndpoint, ...]:
        """Return the endpoints of the account of that number, for who may see what it is told."""
        return await self.store.list(account_id)

    async def get(self, caller: Account, id: str) -> WebhookEndpoint:
        """Return an endpoint of the caller's. Raises NotFoundError, also for another's."""
        found = await self.store.get(id) if is_id(id) else None
        if found is None or found.account_id != caller.id:
            raise NotFoundError
        return found

    async def changeable(self, caller: Account, id: str) -> WebhookEndpoint:
        """Return an endpoint that the caller may change. Raises NotFoundError, ForbiddenError."""
        found = await self.get(caller, id)
        _require_admin(caller)
        return found

    async def create(self, caller: Account, wanted: Wanted) -> WebhookEndpoint:
        """Make an endpoint; its secret is told now and never again.

        Raises ForbiddenError, InvalidError, ConflictError for too many.
        """
        _require_admin(caller)
        self._check(wanted)
        if not wanted.url:
            raise InvalidError("url is required.", problems=[("url", "is required")])
        now = self.world.now()
        made = WebhookEndpoint(
            id=new_id(now, self.world.random(ID_RANDOM_BYTES)),
            account_id=caller.id,
            url=wanted.url,
            events=chosen_events(wanted.events),
            model=wanted.model or None,
            enabled=wanted.enabled is not False,
            secret=self._secret(),
            created_at=now,
        )
        async with self._lock:
            if (count := len(await self.store.list(caller.id))) >= MOST_ENDPOINTS:
                raise ConflictError(
                    f"There are {count} endpoints already; an account may have at most {MOST_ENDPOINTS}."
                    " Delete one that is not needed."
                )
            await self.store.add(made)
        await self._refresh(caller.id)
        return made

    async def update(self, caller: Account, id: str, wanted: Wanted) -> WebhookEndpoint:
        """Change an endpoint; what is enabled again is taken for sound.

        Raises NotFoundError, ForbiddenError, InvalidError.
        """
        before = await self.changeable(caller, id)
        self._check(wanted)

        def decide(kept: WebhookEndpoint) -> WebhookEndpoint:
            changed = replace(
                kept,
                url=wanted.url or kept.url,
                events=kept.events if wanted.events is None else chosen_events(wanted.events),
                model=kept.model if wanted.model is None else wanted.model or None,
                enabled=kept.enabled if wanted.enabled is None else wanted.enabled,
            )
            if wanted.enabled or changed.url != kept.url:
                changed = replace(changed, failing_since=None)
            return replace(changed, disabled_reason=None) if changed.enabled else changed

        return await self._changed(before, decide)

    async def delete(self, caller: Account, id: str) -> None:
        """Delete an endpoint with what was still to be told to it. Raises NotFoundError, ForbiddenError."""
        await self.changeable(caller, id)
        await self.store.delete(id)
        await self._refresh(caller.id)

    async def rotate(self, caller: Account, id: str) -> WebhookEndpoint:
        """Give an endpoint a new secret; the one before goes on signing beside it for a day.

        Raises NotFoundError, ForbiddenError.
        """
        before = await self.changeable(caller, id)
        fresh, now = self._secret(), self.world.now()
        return await self._changed(
            before, lambda kept: replace(kept, previous=kept.secret, secret=fresh, rotated_at=now)
        )

    def secrets(self, endpoint: WebhookEndpoint) -> tuple[str, ...]:
        """Return all that an endpoint's calls are signed with now, the newest first."""
        since = endpoint.rotated_at
        if endpoint.previous is None or since is None or since <= self.world.now() - SECRET_OVERLAP:
            return (endpoint.secret,)
        return (endpoint.secret, endpoint.previous)

    async def heard(self, endpoint: WebhookEndpoint) -> None:
        """Note that an endpoint answered well."""
        if endpoint.failing_since is not None:
            await self.store.change(endpoint.id, lambda kept: replace(kept, failing_since=None))

    async def failed(self, endpoint: WebhookEndpoint, reason: str, *, given_up: bool) -> bool:
        """Note that an endpoint did not; after days of it, and one event given up, it is told no more.

        Returns whether that is so now.
        """
        now = self.world.now()
        change = _failing(reason, now, given_up=given_up)
        if change(endpoint) == endpoint:
            return False
        kept = await self.store.change(endpoint.id, change)
        if kept is None or kept.enabled:
            return False
        await self._refresh(endpoint.account_id)
        return True

    async def _changed(self, before: WebhookEndpoint, decide: ChangeEndpoint) -> WebhookEndpoint:
        kept = await self.store.change(before.id, decide)
        if kept is None:
            raise NotFoundError
        await self._refresh(before.account_id)
        return kept

    async def _refresh(self, account_id: int) -> None:
        # One at a time, or an older look could take the place of a newer one.
        async with self._lock:
            found = tuple(
                Listener(id=each.id, events=each.events, model=each.model)
                for each in await self.store.list(account_id)
                if each.enabled
            )
            if found:
                self._heard[account_id] = found
            else:
                self._heard.pop(account_id, None)

    def _check(self, wanted: Wanted) -> None:
        problems: list[tuple[str, str]] = []
        if wanted.url is not None and (problem := self._url_problem(wanted.url)) is not None:
            problems.append(("url", problem))
        if (problem := events_problem(wanted.events or ())) is not None:
            problems.append(("events", problem))
        if wanted.model and split_model(wanted.model) is None:
            problems.append(("model", f"{wanted.model[:100]!r} is no model: write owner/name."))
        if problems:
            raise InvalidError(
                "\n".join(f"{name}: {what}" for name, what in problems),
                problems=problems,
            )

    def _url_problem(self, url: str) -> str | None:
        if len(url) > URL_LIMIT:
            return f"it has {len(url)} characters; at most {URL_LIMIT} are allowed"
        return self.targets.problem(url)

    def _secret(self) -> str:
        return new_webhook_secret(self.world.random(WEBHOOK_SECRET_BYTES))


def _require_admin(caller: Account) -> None:
    # It hears of every prediction, and goes on when the one who made it is no member any more.
    if not may_change(caller):
        raise ForbiddenError(
            f"As a {caller.role} of {caller.username} you may not change what is told of its predictions;"
            " an admin may."
        )


def may_change(caller: Account) -> bool:
    """Whether the caller may make and change endpoints: a person their own, an organization's an admin of it."""
    return caller.role.covers(Role.ADMIN)


def _failing(reason: str, now: datetime, *, given_up: bool) -> Callable[[WebhookEndpoint], WebhookEndpoint]:
    def decide(kept: WebhookEndpoint) -> WebhookEndpoint:
        since = kept.failing_since or now
        if not kept.enabled or not (given_up and has_failed_too_long(since, now)):
            return replace(kept, failing_since=since)
        why = f"Nothing could be told to it since {since:%Y-%m-%d %H:%M} UTC; last, {reason}."
        return replace(kept, failing_since=since, enabled=False, disabled_reason=why)

    return decide
