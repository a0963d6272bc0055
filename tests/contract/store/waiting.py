"""Predictions that wait in a store, and a lease to take them by."""

from __future__ import annotations

from datetime import datetime, timedelta

from cogyard.domain.ids import new_id
from cogyard.domain.values import Prediction, Status
from cogyard.domain.waiting import Urgency
from cogyard.features.predictions.ports import Lease, Ticket

from tests.contract.store.conftest import NOW, Stores

V = "a" * 64
LEASE = Lease(token="lease", instance="i", expires_at=NOW + timedelta(seconds=30))


async def add(
    stores: Stores,
    number: int = 0,
    *,
    version: str = V,
    deadline: datetime | None = None,
    of: str = "ann",
    urgency: Urgency = Urgency.NORMAL,
    idempotent: bool = False,
) -> Prediction:
    """Keep a prediction that waits, made so many seconds after NOW, and return it."""
    account = await stores.accounts.by_username(of) or await stores.account(of)
    moment = NOW + timedelta(seconds=number)
    prediction = Prediction(
        id=new_id(moment, bytes(10)),
        model="ann/hello",
        version=version,
        account_id=account.id,
        status=Status.STARTING,
        input={"text": "é", "n": [1, None, 2.5]},
        created_at=moment,
        stream_token=f"stream-{number}",
        origin="http://x",
        webhook="https://h",
        webhook_events=("output", "completed"),
        secret_inputs=("a", "b"),
        deadline=deadline,
        source="web" if number % 2 else "api",
    )
    ticket = Ticket(deployable=version, deadline=deadline, urgency=urgency, idempotent=idempotent)
    await stores.predictions.add(prediction, ticket)
    return prediction
