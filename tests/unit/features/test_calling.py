"""A webhook's address is checked where it leads, not only how it reads."""

from __future__ import annotations

import asyncio

import httpx2
import pytest
from cogyard.domain.webhooks import Targets
from cogyard.features.webhooks.calling import HttpCaller
from cogyard.features.webhooks.ports import CallFailedError

pytestmark = pytest.mark.anyio


def _caller(
    addresses: list[str], seen: list[httpx2.Request], status: int = 200, **wishes: bool
) -> HttpCaller:
    async def resolve(host: str, port: int) -> list[str]:
        return addresses

    def answer(request: httpx2.Request) -> httpx2.Response:
        seen.append(request)
        return httpx2.Response(status, headers={"Location": "http://127.0.0.1/"})

    return HttpCaller(targets=Targets(**wishes), resolve=resolve, transport=httpx2.MockTransport(answer))


async def test_the_connection_goes_to_the_address_that_was_checked() -> None:
    """The name is only in the Host header and the certificate's check, so it cannot change its mind."""
    seen: list[httpx2.Request] = []
    caller = _caller(["93.184.216.34"], seen)
    assert await caller.post("https://example.com:8443/hook?a=b", b"{}", {"webhook-id": "m"}) == 200
    assert str(seen[0].url) == "https://93.184.216.34:8443/hook?a=b"
    assert seen[0].headers["host"] == "example.com:8443"
    assert seen[0].extensions["sni_hostname"] == "example.com"
    await caller.close()


@pytest.mark.parametrize("addresses", [["127.0.0.1"], ["93.184.216.34", "10.0.0.1"], ["::1"], []])
async def test_a_name_for_something_private_is_not_called(addresses: list[str]) -> None:
    """One private address among several is enough."""
    seen: list[httpx2.Request] = []
    with pytest.raises(CallFailedError):
        await _caller(addresses, seen).post("https://example.com/", b"", {})
    assert seen == []


async def test_redirects_are_not_followed() -> None:
    """They could lead anywhere."""
    seen: list[httpx2.Request] = []
    caller = _caller(["93.184.216.34"], seen, status=302)
    assert await caller.post("https://example.com/", b"", {}) == 302
    assert len(seen) == 1
    await caller.close()


async def test_private_targets_by_setting() -> None:
    """For one's own machine."""
    seen: list[httpx2.Request] = []
    caller = _caller(["127.0.0.1"], seen, allow_private=True, allow_http=True)
    assert await caller.post("http://hooks.local:5000/", b"", {}) == 200
    await caller.close()


@pytest.mark.parametrize(
    ("url", "host"), [("https://b\u00fccher.example/", "xn--bcher-kva.example"), ("https://a..b/", "a..b")]
)
async def test_names_beyond_ascii_are_called_by_their_name_on_the_wire(url: str, host: str) -> None:
    """In the Host header and in the certificate's check alike."""
    seen: list[httpx2.Request] = []
    caller = _caller(["93.184.216.34"], seen)
    assert await caller.post(url, b"{}", {}) == 200
    assert (seen[0].headers["host"], seen[0].extensions["sni_hostname"]) == (host, host)
    await caller.close()


@pytest.mark.parametrize("url", ["https://\u24d4xample.com/", "https://\uff11.0.0.1/", "https://\u00ad/"])
async def test_what_is_no_address_on_the_wire_is_a_failed_call(url: str) -> None:
    """Not an error of ours, after which it would be called again at once."""
    with pytest.raises(CallFailedError):
        await _caller(["93.184.216.34"], []).post(url, b"{}", {})


async def test_a_call_has_an_end_however_its_target_spends_the_time() -> None:
    """One that answers a byte at a time, for ever, is as slow as one that answers nothing."""

    async def resolve(_host: str, _port: int) -> list[str]:
        return ["127.0.0.1"]

    async def never(_request: httpx2.Request) -> httpx2.Response:
        await asyncio.Event().wait()
        raise AssertionError

    caller = HttpCaller(
        targets=Targets(allow_private=True, allow_http=True),
        resolve=resolve,
        transport=httpx2.MockTransport(never),
        seconds=0.001,
    )
    with pytest.raises(CallFailedError, match="did not answer within"):
        await caller.post("http://127.0.0.1/", b"", {})
    await caller.close()


async def test_the_next_address_is_tried_where_one_cannot_be_reached() -> None:
    """A name may stand for one that this machine has no way to; what was heard by one is told to no other."""
    asked: list[str] = []

    async def resolve(_host: str, _port: int) -> list[str]:
        return ["2606:2800:220:1::1", "93.184.216.34", "93.184.216.35"]

    def answer(request: httpx2.Request) -> httpx2.Response:
        asked.append(request.url.host)
        if ":" in request.url.host:
            raise httpx2.ConnectError("no way")
        raise httpx2.ReadError("gone")

    caller = HttpCaller(targets=Targets(), resolve=resolve, transport=httpx2.MockTransport(answer))
    with pytest.raises(CallFailedError, match="broke off: gone"):
        await caller.post("https://example.com/", b"", {})
    assert asked == ["2606:2800:220:1::1", "93.184.216.34"]
    await caller.close()
