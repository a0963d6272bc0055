"""Webhook endpoints of the client, against scripted answers."""

from __future__ import annotations

import json

import httpx2

from tests.unit.client.test_client import Script, client_of

ENDPOINT = {"id": "e1", "url": "https://a.test", "events": ["completed"], "enabled": True, "model": None}


def test_endpoints_are_made_changed_and_deleted() -> None:
    """Each operation asks what the API names, and what is not said is not sent."""
    script = Script(
        post_webhooks_endpoints=ENDPOINT | {"key": "whsec_a"},
        get_webhooks_endpoints={"results": [ENDPOINT]},
        get_webhooks_endpoints_e1=ENDPOINT,
        patch_webhooks_endpoints_e1=ENDPOINT | {"enabled": False},
        post_webhooks_endpoints_e1_secret_rotate={"key": "whsec_b"},
        delete_webhooks_endpoints_e1=httpx2.Response(204),
    )
    endpoints = client_of(script).webhooks.endpoints
    made = endpoints.create("https://a.test", events=("completed",))
    assert (made.id, made.key) == ("e1", "whsec_a")
    assert "whsec_a" not in repr(made)
    assert [each.id for each in endpoints.list()] == ["e1"]
    assert endpoints.get("e1").key is None
    assert not endpoints.update("e1", enabled=False).enabled
    assert endpoints.rotate("e1") == "whsec_b"
    assert endpoints.delete("e1")
    sent = [json.loads(request.content) for request in script.requests if request.content]
    assert sent == [{"url": "https://a.test", "enabled": True, "events": ["completed"]}, {"enabled": False}]
