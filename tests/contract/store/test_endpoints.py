"""What every store of webhook endpoints promises."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from cogyard.domain.ids import new_id
from cogyard.features.webhooks.ports import WebhookEndpoint

from tests.contract.store.conftest import NOW, Stores

pytestmark = pytest.mark.anyio


def _endpoint(account_id: int, n: int) -> WebhookEndpoint:
    return WebhookEndpoint(
        id=new_id(NOW + timedelta(seconds=n), bytes(10)),
        account_id=account_id,
        url=f"https://ends.test/{n}",
        events=("start", "completed"),
        secret=f"whsec_{n}",
        created_at=NOW,
    )


async def test_endpoints_are_kept_as_they_are(stores: Stores) -> None:
    """Every field comes back, whether it holds something or not."""
    ann = await stores.account("ann")
    plain = _endpoint(ann.id, 1)
    full = replace(
        _endpoint(ann.id, 2),
        model="ann/hello",
        enabled=False,
        disabled_reason="why",
        previous="whsec_old",
        rotated_at=NOW,
        failing_since=NOW - timedelta(days=1),
    )
    for each in (full, plain):
        await stores.endpoints.add(each)
    assert await stores.endpoints.get(plain.id) == plain
    assert await stores.endpoints.get(full.id) == full
    assert await stores.endpoints.get("x") is None


async def test_endpoints_are_listed_by_age_and_account(stores: Stores) -> None:
    """An account's, or everybody's."""
    ann, bob = await stores.account("ann"), await stores.account("bob")
    first, second, other = _endpoint(ann.id, 1), _endpoint(ann.id, 2), _endpoint(bob.id, 3)
    for each in (other, second, first):
        await stores.endpoints.add(each)
    assert await stores.endpoints.list(ann.id) == (first, second)
    assert await stores.endpoints.list() == (first, second, other)
    await stores.endpoints.delete(first.id)
    assert await stores.endpoints.list(ann.id) == (second,)


async def test_a_change_sees_what_is_kept(stores: Stores) -> None:
    """It is decided on the kept state, and returned; of one that is gone nothing is."""
    kept = _endpoint((await stores.account("ann")).id, 1)
    await stores.endpoints.add(kept)
    changed = await stores.endpoints.change(kept.id, lambda each: replace(each, url=each.url + "/more"))
    assert changed is not None
    assert changed.url == "https://ends.test/1/more"
    assert await stores.endpoints.get(kept.id) == changed
    assert await stores.endpoints.change("x", lambda each: each) is None
