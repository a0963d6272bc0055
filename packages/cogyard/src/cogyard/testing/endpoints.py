"""Webhook endpoints in memory, beside the predictions in memory."""

from __future__ import annotations

from dataclasses import dataclass, field

from cogyard.features.webhooks.ports import ChangeEndpoint, WebhookEndpoint
from cogyard.testing.predictions import MemoryPredictions


@dataclass
class MemoryEndpoints:
    """Keeps the promises of `cogyard.features.webhooks.ports.EndpointStore`."""

    predictions: MemoryPredictions
    kept: dict[str, WebhookEndpoint] = field(default_factory=dict)

    async def get(self, id: str) -> WebhookEndpoint | None:
        """Return an endpoint."""
        return self.kept.get(id)

    async def list(self, account_id: int | None = None) -> tuple[WebhookEndpoint, ...]:
        """Return an account's endpoints, or everybody's, the oldest first."""
        return tuple(each for _, each in sorted(self.kept.items()) if account_id in {None, each.account_id})

    async def add(self, endpoint: WebhookEndpoint) -> None:
        """Keep a new endpoint."""
        self.kept[endpoint.id] = endpoint

    async def change(self, id: str, decide: ChangeEndpoint) -> WebhookEndpoint | None:
        """Read, decide and write in one step."""
        if id not in self.kept:
            return None
        self.kept[id] = decide(self.kept[id])
        return self.kept[id]

    async def delete(self, id: str) -> None:
        """Delete an endpoint and its letters."""
        self.kept.pop(id, None)
        for place in list(self.predictions.outbox):
            if place[1] == id:
                del self.predictions.outbox[place]
