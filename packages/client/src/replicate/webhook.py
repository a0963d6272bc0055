"""Webhooks: the signing secret, and checking that a delivery is the platform's (Standard Webhooks)."""

from __future__ import annotations

import base64
import hashlib
import hmac
import time
from collections.abc import Mapping
from dataclasses import dataclass

from replicate._flow import Flow, asynchronous, blocking
from replicate.deliveries import WebhookDeliveries
from replicate.endpoints import WebhookEndpoints
from replicate.errors import ReplicateException
from replicate.resource import Namespace, Resource, ask


class InvalidWebhookError(ReplicateException):
    """The delivery lacks a header, is too old, or is not signed with the secret."""


@dataclass(kw_only=True)
class WebhookSigningSecret(Resource):
    """The key deliveries are signed with, `whsec_…`."""

    key: str


class DefaultWebhook(Namespace):
    """The account's webhook."""

    def _secret(self) -> Flow[WebhookSigningSecret]:
        """Return the signing secret."""
        return WebhookSigningSecret.from_json(
            self._client, (yield from ask("GET", "/webhooks/default/secret"))
        )

    secret, async_secret = blocking(_secret), asynchronous(_secret)


class Webhooks(Namespace):
    """Operations on webhooks."""

    @property
    def default(self) -> DefaultWebhook:
        """The account's webhook."""
        return DefaultWebhook(self._client)

    @property
    def endpoints(self) -> WebhookEndpoints:
        """Where the account is told of all its predictions."""
        return WebhookEndpoints(self._client)

    @property
    def deliveries(self) -> WebhookDeliveries:
        """What was told, and what is still to be told."""
        return WebhookDeliveries(self._client)

    @staticmethod
    def validate(
        *,
        headers: Mapping[str, str],
        body: str | bytes,
        secret: str | WebhookSigningSecret,
        tolerance: float | None = 300.0,
        now: float | None = None,
    ) -> None:
        """Raise InvalidWebhookError unless the delivery is signed with `secret` and at most `tolerance` seconds old."""
        named = {name.lower(): value for name, value in headers.items()}
        missing = [
            name for name in ("webhook-id", "webhook-timestamp", "webhook-signature") if not named.get(name)
        ]
        if missing:
            raise InvalidWebhookError(f"The delivery has no {', '.join(missing)} header.")
        identifier, timestamp = named["webhook-id"], named["webhook-timestamp"]
        age = abs((time.time() if now is None else now) - (int(timestamp) if timestamp.isdigit() else 0))
        if tolerance is not None and age > tolerance:
            raise InvalidWebhookError(
                f"The delivery is {age:.0f} s old, more than the {tolerance:.0f} s allowed."
            )
        key = base64.b64decode((secret if isinstance(secret, str) else secret.key).removeprefix("whsec_"))
        content = body.encode() if isinstance(body, str) else body
        signed = f"{identifier}.{timestamp}.".encode() + content
        wanted = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
        given = [part.partition(",")[2] for part in named["webhook-signature"].split()]
        if not any(hmac.compare_digest(wanted, signature) for signature in given):
            raise InvalidWebhookError("The delivery is not signed with this secret.")
