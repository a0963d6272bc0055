"""Signed webhooks, as Standard Webhooks has it: `webhook-id`, `webhook-timestamp`, `webhook-signature`. Pure."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac

from cog_server.errors import StartError

PREFIX = "whsec_"


def key_of(secret: str) -> bytes:
    """Return the key of a secret: base64 behind `whsec_`, else the text itself. Raises StartError."""
    if not secret.startswith(PREFIX):
        return secret.encode()
    try:
        return base64.b64decode(secret[len(PREFIX) :], validate=True)
    except binascii.Error:
        raise StartError(
            f"the webhook secret begins with {PREFIX} and goes on with what is not base64",
            hint="Set COG_WEBHOOK_SECRET to whsec_ and the base64 of 24 to 64 random bytes.",
        ) from None


def signed_headers(key: bytes, id: str, timestamp: int, body: bytes) -> dict[str, str]:
    """Return the headers of one message; `timestamp` in seconds of the epoch. Another try keeps the id."""
    content = b"%s.%d.%s" % (id.encode(), timestamp, body)
    signature = base64.b64encode(hmac.new(key, content, hashlib.sha256).digest()).decode()
    return {"webhook-id": id, "webhook-timestamp": str(timestamp), "webhook-signature": f"v1,{signature}"}
