"""The client's shell: it authorizes, retries, checks, and keeps its token to the registry."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import httpx2
import pytest
from cogyard.oci import flows
from cogyard.oci.authorization import Credential, Scope
from cogyard.oci.client import RegistryClient
from cogyard.oci.descriptor import Descriptor
from cogyard.oci.digest import of
from cogyard.oci.errors import (
    DigestMismatchError,
    NotARegistryError,
    RegistryDeniedError,
    RegistryFailedError,
    RegistryRefusedError,
    RegistryUnreachableError,
)
from cogyard.oci.layout import ImageStore

pytestmark = pytest.mark.anyio

ME = Credential(username="me", password="s3cret")
SCOPE = Scope(repository="me/m", actions="pull,push")
DATA = b"0123456789" * 1000
BLOB = Descriptor(media_type="x", digest=of(DATA), size=len(DATA))
Handler = Callable[[httpx2.Request], httpx2.Response]


def transport(handler: Handler) -> httpx2.MockTransport:
    """Answer as a network does: a body is a stream, read once."""

    async def answer(request: httpx2.Request) -> httpx2.Response:
        await request.aread()
        response = handler(request)
        if not response.is_stream_consumed:
            return response
        return httpx2.Response(
            response.status_code, headers=response.headers, content=_streamed(response.content)
        )

    return httpx2.MockTransport(answer)


async def _streamed(body: bytes) -> AsyncIterator[bytes]:
    yield body


def connect(handler: Handler, host: str = "a.b", credential: Credential | None = ME) -> RegistryClient:
    """Return a client whose waits are only noted."""

    async def sleep(seconds: float) -> None:
        waits.append(seconds)

    waits: list[float] = []
    client = RegistryClient(host, credential=credential, transport=transport(handler), sleep=sleep)
    client.waits = waits  # type: ignore[attr-defined] # for the tests' eyes
    return client


async def test_a_token_is_fetched_once_and_used() -> None:
    """The 401 leads to the realm with our credentials; later calls bring the token at once."""
    seen: list[tuple[str, str]] = []

    def handler(request: httpx2.Request) -> httpx2.Response:
        authorization = request.headers.get("authorization", "")
        seen.append((request.url.path, authorization))
        if request.url.path == "/token":
            return httpx2.Response(200, json={"token": "tok", "expires_in": 300})
        if authorization != "Bearer tok":
            return httpx2.Response(
                401, headers={"WWW-Authenticate": 'Bearer realm="https://a.b/token",service="s"'}
            )
        return httpx2.Response(200)

    async with connect(handler) as client:
        for _ in range(2):
            assert await client.run(lambda: flows.push_blob("me/m", BLOB, DATA), SCOPE) == flows.PRESENT
    path = f"/v2/me/m/blobs/{BLOB.digest}"
    assert seen == [(path, ""), ("/token", ME.basic), (path, "Bearer tok"), (path, "Bearer tok")]


async def test_wrong_credentials_are_said_once() -> None:
    """A registry that keeps saying 401 is not asked for ever."""
    count = 0

    def handler(request: httpx2.Request) -> httpx2.Response:
        nonlocal count
        count += 1
        return httpx2.Response(401, headers={"WWW-Authenticate": 'Basic realm="r"'})

    async with connect(handler) as client:
        with pytest.raises(RegistryRefusedError):
            await client.run(flows.ping)
    assert count == 2


async def test_the_token_stays_with_the_registry() -> None:
    """An upload that continues on another host is sent there without our token."""
    seen: dict[str, str | None] = {}

    def handler(request: httpx2.Request) -> httpx2.Response:
        seen[f"{request.method} {request.url.host}"] = request.headers.get("authorization")
        if request.url.host == "store.example":
            return httpx2.Response(201)
        if "authorization" not in request.headers:
            return httpx2.Response(401, headers={"WWW-Authenticate": 'Basic realm="r"'})
        if request.method == "POST":
            return httpx2.Response(202, headers={"Location": "https://store.example/up?sig=1"})
        return httpx2.Response(404)

    async with connect(handler) as client:
        assert await client.run(lambda: flows.push_blob("me/m", BLOB, DATA), SCOPE) == flows.UPLOADED
    assert seen == {"HEAD a.b": ME.basic, "POST a.b": ME.basic, "PUT store.example": None}


async def test_a_location_that_falls_back_to_http_is_followed_by_https() -> None:
    """A registry behind a proxy that names itself by http does not make us send bytes in the open."""
    urls: list[str] = []

    def handler(request: httpx2.Request) -> httpx2.Response:
        urls.append(f"{request.method} {request.url.scheme}")
        if request.method == "POST":
            return httpx2.Response(202, headers={"Location": "http://a.b/up"})
        return httpx2.Response(404 if request.method == "HEAD" else 201)

    async with connect(handler) as client:
        await client.run(lambda: flows.push_blob("me/m", BLOB, DATA), SCOPE)
    assert urls == ["HEAD https", "POST https", "PUT https"]


async def test_passing_failures_are_tried_again_from_the_start(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A 503 in the middle of an upload leads to a new upload, after the wait the registry asks for."""
    path = tmp_path / "blob"
    path.write_bytes(DATA)
    calls: list[str] = []
    bodies: list[bytes] = []

    def handler(request: httpx2.Request) -> httpx2.Response:
        calls.append(request.method)
        if request.method == "HEAD":
            return httpx2.Response(404)
        if request.method == "POST":
            return httpx2.Response(202, headers={"Location": "/up"})
        bodies.append(request.content)
        if len(bodies) == 1:
            return httpx2.Response(503, headers={"Retry-After": "3"})
        return httpx2.Response(201)

    async with connect(handler) as client:
        assert await client.run(lambda: flows.push_blob("me/m", BLOB, path), SCOPE) == flows.UPLOADED
    assert calls == ["HEAD", "POST", "PUT"] * 2
    assert bodies == [DATA, DATA]
    assert caplog.messages == ["The registry a.b failed: it answered 503. Trying again in 3.0 s."]


async def test_one_line_for_all_that_wait(caplog: pytest.LogCaptureFixture) -> None:
    """A registry that is down for four uploads at once is told of once for each time they wait."""
    answered = 0

    def handler(request: httpx2.Request) -> httpx2.Response:
        nonlocal answered
        answered += 1
        return httpx2.Response(503 if answered <= 4 else 200)

    async with RegistryClient(
        "a.b", transport=transport(handler), sleep=lambda _: asyncio.sleep(0.05)
    ) as client:
        await asyncio.gather(*(client.run(flows.ping) for _ in range(4)))
    assert len(caplog.messages) == 1


async def test_a_registry_that_keeps_failing_is_given_up() -> None:
    """After all attempts the last reason is told."""

    def handler(request: httpx2.Request) -> httpx2.Response:
        return httpx2.Response(502)

    async with connect(handler) as client:
        with pytest.raises(RegistryFailedError) as caught:
            await client.run(flows.ping)
        assert len(client.waits) == 4  # type: ignore[attr-defined] # set by connect()
    assert "5 times" in caught.value.message
    assert "502" in caught.value.message


async def test_no_answer_names_the_host_and_what_to_check(caplog: pytest.LogCaptureFixture) -> None:
    """A host that cannot be connected to is not tried for long."""

    def handler(request: httpx2.Request) -> httpx2.Response:
        raise httpx2.ConnectError("connection refused", request=request)

    async with connect(handler) as client:
        with pytest.raises(RegistryUnreachableError) as caught:
            await client.run(flows.ping)
        assert len(client.waits) == 1  # type: ignore[attr-defined] # set by connect()
    assert "a.b" in caught.value.message
    assert caplog.messages[0].startswith("The registry a.b cannot be reached: ")


async def test_a_registry_that_is_started_again_is_waited_for() -> None:
    """A push goes on when the registry that answered it cannot be connected to for some seconds."""
    down = iter([False, True, True, True, False])

    def handler(request: httpx2.Request) -> httpx2.Response:
        if next(down, True):
            raise httpx2.ConnectError("connection refused", request=request)
        return httpx2.Response(200)

    async with connect(handler) as client:
        await client.run(flows.ping)
        await client.run(flows.ping)
        assert len(client.waits) == 3  # type: ignore[attr-defined] # set by connect()
        with pytest.raises(RegistryUnreachableError, match="can no longer be reached") as caught:
            await client.run(flows.ping)
    assert "not sent again" in str(caught.value.hint)


@pytest.mark.parametrize("by_https", [True, False])
async def test_this_machine_is_spoken_to_by_https_where_http_is_not_answered(by_https: bool) -> None:
    """Once, at the beginning; where that is no answer either, it is http that failed."""
    seen: list[str] = []

    def handler(request: httpx2.Request) -> httpx2.Response:
        seen.append(request.url.scheme)
        if by_https and request.url.scheme == "https":
            return httpx2.Response(200)
        raise httpx2.RemoteProtocolError("closed", request=request)

    async with connect(handler, host="localhost:5000") as client:
        if by_https:
            await client.run(flows.ping)
            await client.run(flows.ping)
            assert seen == ["http", "https", "https"]
            return
        with pytest.raises(RegistryFailedError, match="localhost:5000 failed"):
            await client.run(flows.ping)
    assert seen[:3] == ["http", "https", "http"]
    assert seen.count("https") == 1


async def test_an_unknown_host_is_told_in_words() -> None:
    """The number of an error of the system is left out of what a person reads."""

    def handler(request: httpx2.Request) -> httpx2.Response:
        raise httpx2.ConnectError("[Errno -2] Name or service not known", request=request)

    async with connect(handler) as client:
        with pytest.raises(RegistryUnreachableError) as caught:
            await client.run(flows.ping)
    assert caught.value.message == "the registry a.b cannot be reached: Name or service not known"


async def test_docker_hub_out_of_reach_says_that_a_name_without_a_host_means_it() -> None:
    """Whoever forgot the host of their registry learns why docker.io was asked."""

    def handler(request: httpx2.Request) -> httpx2.Response:
        raise httpx2.ConnectError("connection refused", request=request)

    async with connect(handler, host="docker.io") as client:
        with pytest.raises(RegistryUnreachableError) as caught:
            await client.run(flows.ping)
    assert caught.value.hint is not None
    assert "write HOST/OWNER/NAME" in caught.value.hint
    assert "COGYARD_INSECURE_REGISTRIES" not in caught.value.hint


async def test_a_certificate_that_nobody_trusts_is_not_tried_again(caplog: pytest.LogCaptureFixture) -> None:
    """It stays what it is; what lets one trust it is named, and not how to do without."""

    def handler(request: httpx2.Request) -> httpx2.Response:
        raise httpx2.ConnectError("no issuer", request=request) from ssl.SSLCertVerificationError("no issuer")

    async with connect(handler) as client:
        with pytest.raises(RegistryUnreachableError) as caught:
            await client.run(flows.ping)
        assert client.waits == []  # type: ignore[attr-defined] # set by connect()
    assert caught.value.message == "the registry a.b is not trusted: no issuer"
    assert "SSL_CERT_FILE" in str(caught.value.hint)
    assert "INSECURE" not in str(caught.value.hint)
    assert not caplog.messages


@pytest.mark.parametrize(
    ("detail", "hint"),
    [
        ({"held": 5, "quota": 9}, None),
        ({"name": "me/m", "account": "me"}, None),
        ({"name": "me/m"}, "under your own account"),
    ],
)
async def test_no_room_is_not_told_as_the_wrong_account(detail: dict[str, object], hint: str | None) -> None:
    """Pushing under one's own name does not help who has filled it, nor whom a platform of ours told what is wrong."""
    answer = {"errors": [{"code": "DENIED", "message": "No.", "detail": detail}]}
    async with connect(lambda _: httpx2.Response(403, json=answer)) as client:
        with pytest.raises(RegistryDeniedError) as caught:
            await client.run(lambda: flows.push_blob("me/m", BLOB, DATA), SCOPE)
    assert (hint is None) == (caught.value.hint is None)
    assert hint is None or hint in str(caught.value.hint)


async def test_a_page_is_not_a_registry() -> None:
    """A web server's 404 page is recognized when pushing to it."""

    def handler(request: httpx2.Request) -> httpx2.Response:
        return httpx2.Response(404 if request.method == "HEAD" else 405, text="<html>no</html>")

    async with connect(handler) as client:
        with pytest.raises(NotARegistryError):
            await client.run(lambda: flows.push_blob("me/m", BLOB, DATA), SCOPE)


async def test_a_broken_download_goes_on_where_it_stopped(tmp_path: Path) -> None:
    """After a broken connection the rest is asked for by Range, and the whole is checked."""
    ranges: list[str | None] = []

    async def first_part() -> AsyncIterator[bytes]:
        yield DATA[:4000]
        raise httpx2.ReadError("reset")

    def handler(request: httpx2.Request) -> httpx2.Response:
        ranges.append(request.headers.get("range"))
        if len(ranges) == 1:
            return httpx2.Response(200, content=first_part())
        return httpx2.Response(206, content=DATA[4000:])

    store = ImageStore(tmp_path)
    async with connect(handler) as client:
        await client.pull_blob("me/m", BLOB, store)
        await client.pull_blob("me/m", BLOB, store)
    assert ranges == [None, "bytes=4000-"]
    assert store.read(BLOB.digest) == DATA


@pytest.mark.parametrize("sent", [b"x" * len(DATA), DATA + b"more"])
async def test_other_bytes_are_not_kept(tmp_path: Path, sent: bytes) -> None:
    """A blob with another digest or more bytes than announced leaves nothing behind."""
    store = ImageStore(tmp_path)
    async with connect(lambda _: httpx2.Response(200, content=sent)) as client:
        with pytest.raises(DigestMismatchError):
            await client.pull_blob("me/m", BLOB, store)
    assert not store.has(BLOB)
    assert list((tmp_path / "tmp").iterdir()) == []


async def test_an_endless_answer_is_cut() -> None:
    """A hostile registry cannot fill our memory with a manifest."""

    async def endless() -> AsyncIterator[bytes]:
        while True:
            yield b" " * (1 << 20)

    async with connect(lambda _: httpx2.Response(200, content=endless())) as client:
        with pytest.raises(RegistryFailedError):
            await client.run(lambda: flows.pull_manifest("me/m", "v1"), SCOPE)


@pytest.mark.parametrize(
    ("host", "base"),
    [
        ("127.0.0.1:5000", "http://127.0.0.1:5000"),
        ("localhost", "http://localhost"),
        ("a.b:5000", "https://a.b:5000"),
        ("docker.io", "https://registry-1.docker.io"),
    ],
)
async def test_only_this_machine_is_spoken_to_in_the_open(host: str, base: str) -> None:
    """Https everywhere, but on this machine or where the settings say so."""
    assert RegistryClient(host).base == base
    assert RegistryClient(host, insecure=True).base.startswith("http://")
