"""Webhooks: the signing secret, and checking that a delivery is the platform's (Standard Webhooks)."""

from __future__ import annotations

import base64
import hashlib
import hmac
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Protocol

from replicate._flow import Flow, asynchronous, blocking
from replicate.deliveries import WebhookDeliveries
from replicate.endpoints import WebhookEndpoints
from replicate.errors import ReplicateException
from replicate.resource import Namespace, Resource, ask


class InvalidWebhookError(ReplicateException, ValueError):
    """The delivery lacks a header, is too old, or is not signed with the secret."""


class MissingWebhookHeaderError(InvalidWebhookError):
    """A header of the signature is missing."""


class MissingWebhookBodyError(InvalidWebhookError):
    """The delivery has no body."""


class InvalidSecretKeyError(InvalidWebhookError):
    """The secret is not the word `whsec_` and base64."""


class InvalidTimestampError(InvalidWebhookError):
    """The delivery is too old, or from the future."""


class InvalidSignatureError(InvalidWebhookError):
    """The delivery is not signed with the secret."""


#: Its name in the official client.
WebhookValidationError = InvalidWebhookError


class Request(Protocol):
    """A request that has been read, such as httpx's."""

    @property
    def headers(self) -> Mapping[str, str]:
        """Its headers."""
        ...

    @property
    def content(self) -> bytes:
        """Its body."""
        ...


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

    Default: ClassVar = DefaultWebhook

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
        request: Request | None = None,
        headers: Mapping[str, str] | None = None,
        body: str | bytes | None = None,
        secret: str | WebhookSigningSecret | None = None,
        tolerance: float | None = None,
        *,
        now: float | None = None,
    ) -> None:
        """Raise InvalidWebhookError unless the delivery is signed with `secret` and at most `tolerance` seconds old.

        Any age is taken without a `tolerance`, as by the official client; 300 keeps out what was sent again later.

        The delivery is a `request`, or its `headers` and `body`. Raises ValueError when both or no secret are given.
        """
        if not secret:
            raise ValueError("No signing secret is given.")
        if request is not None:
            if headers or body:
                raise ValueError("Give a request, or its headers and body; not both.")
            headers, body = request.headers, request.content
        if not headers:
            raise MissingWebhookHeaderError("The delivery has no headers.")
        if not body:
            raise MissingWebhookBodyError("The delivery has no body.")
        named = {name.lower(): value for name, value in headers.items()}
        missing = [
            name for name in ("webhook-id", "webhook-timestamp", "webhook-signature") if not named.get(name)
        ]
        if missing:
            raise MissingWebhookHeaderError(f"The delivery has no {', '.join(missing)} header.")
        identifier, timestamp = named["webhook-id"], named["webhook-timestamp"]
        age = abs((time.time() if now is None else now) - (int(timestamp) if timestamp.isdigit() else 0))
        if tolerance is not None and age > tolerance:
            raise InvalidTimestampError(
                f"The delivery is {age:.0f} s old, more than the {tolerance:.0f} s allowed."
            )
        key = _key(secret if isinstance(secret, str) else secret.key)
        content = body.encode() if isinstance(body, str) else body
        signed = f"{identifier}.{timestamp}.".encode() + content
        wanted = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
        given = [part.partition(",")[2] for part in named["webhook-signature"].split()]
        if not any(hmac.compare_digest(wanted, signature) for signature in given):
            raise InvalidSignatureError("The delivery is not signed with this secret.")


def _key(secret: str) -> bytes:
    try:
        return base64.b64decode(secret.removeprefix("whsec_"), validate=True)
    except ValueError as error:
        raise InvalidSecretKeyError("The secret is not `whsec_` and base64.") from error
