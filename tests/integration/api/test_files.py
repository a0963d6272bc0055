"""Files over HTTP: sent, listed, fetched in parts, signed, and never run in a browser."""

from __future__ import annotations

import time
from typing import Any
from urllib.parse import quote

import pytest
from cogyard.features.files.routes import signature
from cogyard.testing.api import BASE, ApiPlatform

pytestmark = pytest.mark.anyio


async def _upload(
    platform: ApiPlatform,
    content: bytes = b"hello",
    name: str = "a.txt",
    type: str = "text/plain",
    **data: Any,
) -> dict[str, Any]:
    async with platform.client() as client:
        answer = await client.post("/v1/files", files={"content": (name, content, type)}, data=data)
        assert answer.status_code == 201, answer.text
        found: dict[str, Any] = answer.json()
        return found


async def _address(platform: ApiPlatform, uploaded: dict[str, Any]) -> str:
    file = await platform.services.files.get(platform.accounts["owner"], uploaded["id"])
    return f"/delivery/{file.token}/{quote(file.name)}"


async def test_an_upload_has_every_key_that_clients_need(platform: ApiPlatform) -> None:
    """name, etag, checksums and metadata are there (wire gotcha 7)."""
    uploaded = await _upload(platform, metadata='{"a": 1}')
    assert uploaded["name"] == "a.txt"
    assert uploaded["content_type"] == "text/plain"
    assert uploaded["size"] == 5
    assert uploaded["etag"] == "5d41402abc4b2a76b9719d911017c592"
    assert uploaded["checksums"]["md5"] == uploaded["etag"]
    assert len(uploaded["checksums"]["sha256"]) == 64
    assert uploaded["metadata"] == {"a": 1}
    assert uploaded["urls"]["get"] == f"{BASE}/v1/files/{uploaded['id']}"


async def test_metadata_may_come_as_a_json_part(platform: ApiPlatform) -> None:
    """One client sends it with a content type of its own."""
    async with platform.client() as client:
        answer = await client.post(
            "/v1/files",
            files={"content": ("a", b"x"), "metadata": (None, '{"b": 2}', "application/json")},
            data={"type": "image/png", "filename": "named.png"},
        )
    assert answer.json()["metadata"] == {"b": 2}
    assert answer.json()["content_type"] == "image/png"
    assert answer.json()["name"] == "named.png"


@pytest.mark.parametrize(
    ("files", "data", "status"),
    [
        ({}, {"type": "x"}, 415),
        ({"other": ("a", b"x")}, {}, 422),
        ({"content": ("a", b"x")}, {"metadata": "{"}, 422),
        ({"content": ("a", b"x")}, {"metadata": "[]"}, 422),
        ({"content": ("a", b"x")}, {"metadata": r'{"a": "\ud800"}'}, 422),
        ({"content": ("a", b"x")}, {"filename": "é" * 200}, 422),
    ],
)
async def test_bad_uploads_are_refused(
    platform: ApiPlatform, files: dict[str, Any], data: dict[str, str], status: int
) -> None:
    """What is missing or wrong is named."""
    async with platform.client() as client:
        answer = await client.post("/v1/files", files=files, data=data)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"


async def test_a_file_over_the_limit_is_a_413(platform: ApiPlatform) -> None:
    """By its announced length and by what comes; nothing is kept."""
    object.__setattr__(platform.services.files, "upload_limit", 1024 * 1024)

    async def unannounced() -> Any:
        yield b'--b\r\nContent-Disposition: form-data; name="content"; filename="a"\r\n\r\n'
        for _ in range(40):
            yield b"x" * 100_000

    async with platform.client() as client:
        announced = await client.post("/v1/files", files={"content": ("a", b"x" * 3_000_000)})
        streamed = await client.post(
            "/v1/files", content=unannounced(), headers={"Content-Type": "multipart/form-data; boundary=b"}
        )
        listed = (await client.get("/v1/files")).json()
    for answer in (announced, streamed):
        assert answer.status_code == 413
        assert answer.json()["detail"] == "Files must be less than 1MB in size"
    assert listed["results"] == []


async def test_a_hostile_name_is_only_a_name(platform: ApiPlatform) -> None:
    """Folders and header breaks in a name are gone; the address still works."""
    uploaded = await _upload(platform, name='../../e\r\nX: "y.png', type="image/png")
    assert "/" not in uploaded["name"]
    async with platform.client(None) as anybody:
        answer = await anybody.get(await _address(platform, uploaded))
    assert answer.status_code == 200
    assert "x" not in {header.lower() for header in answer.headers}


async def test_deleted_files_are_gone_everywhere(platform: ApiPlatform) -> None:
    """204, then 404 for the object and for the bytes; a second file of the same content stays."""
    uploaded, twin = await _upload(platform), await _upload(platform)
    address, twins = await _address(platform, uploaded), await _address(platform, twin)
    async with platform.client() as client:
        assert (await client.delete(f"/v1/files/{uploaded['id']}")).status_code == 204
        assert (await client.get(f"/v1/files/{uploaded['id']}")).status_code == 404
        assert (await client.get(address)).status_code == 404
        assert (await client.get(twins)).content == b"hello"


@pytest.mark.parametrize(
    ("header", "status", "content", "range_"),
    [
        ("bytes=0-1", 206, b"he", "bytes 0-1/5"),
        ("bytes=3-", 206, b"lo", "bytes 3-4/5"),
        ("bytes=-2", 206, b"lo", "bytes 3-4/5"),
        ("bytes=0-99", 206, b"hello", "bytes 0-4/5"),
        ("bytes=5-", 416, b"", "bytes */5"),
        ("bytes=-0", 416, b"", "bytes */5"),
        ("bytes=" + "9" * 25 + "-", 416, b"", "bytes */5"),
        ("bytes=3-" + "9" * 25, 206, b"lo", "bytes 3-4/5"),
        ("bytes=3-1", 200, b"hello", None),
        ("bytes=0-1,3-4", 200, b"hello", None),
        ("lines=1-2", 200, b"hello", None),
    ],
)
async def test_parts_of_a_file(
    platform: ApiPlatform, header: str, status: int, content: bytes, range_: str | None
) -> None:
    """Browsers play and resume by asking for parts."""
    address = await _address(platform, await _upload(platform))
    async with platform.client(None) as anybody:
        answer = await anybody.get(address, headers={"Range": header})
    assert (answer.status_code, answer.content) == (status, content)
    assert answer.headers.get("content-range") == range_


async def test_a_known_file_is_not_sent_again(platform: ApiPlatform) -> None:
    """304 for the same content; If-Range with another content gives the whole."""
    address = await _address(platform, await _upload(platform))
    async with platform.client(None) as anybody:
        first = await anybody.get(address)
        again = await anybody.get(address, headers={"If-None-Match": first.headers["etag"]})
        other = await anybody.get(address, headers={"Range": "bytes=0-1", "If-Range": '"other"'})
        head = await anybody.head(address, headers={"Range": "bytes=0-1"})
    assert again.status_code == 304
    assert other.status_code == 200
    assert (head.status_code, head.content, head.headers["content-length"]) == (200, b"", "5")


@pytest.mark.parametrize(
    ("type", "disposition"),
    [
        ("text/html", "attachment"),
        ("image/svg+xml", "attachment"),
        ("application/javascript", "attachment"),
        ("application/xhtml+xml", "attachment"),
        ("image/png", "inline"),
        ("video/mp4", "inline"),
        ("text/plain", "inline"),
    ],
)
async def test_nothing_that_strangers_send_runs_on_our_host(
    platform: ApiPlatform, type: str, disposition: str
) -> None:
    """Active types are downloads; every type is sandboxed and not guessed at."""
    address = await _address(platform, await _upload(platform, type=type))
    async with platform.client(None) as anybody:
        answer = await anybody.get(address)
    assert answer.headers["content-disposition"].startswith(disposition + ";")
    assert "sandbox" in answer.headers["content-security-policy"]
    assert answer.headers["x-content-type-options"] == "nosniff"


async def test_the_name_belongs_to_the_address(platform: ApiPlatform) -> None:
    """A token with another name is a 404, so an address cannot be dressed up."""
    file = await platform.services.files.get(platform.accounts["owner"], (await _upload(platform))["id"])
    async with platform.client(None) as anybody:
        assert (await anybody.get(f"/delivery/{file.token}/other.html")).status_code == 404
        assert (await anybody.get(f"/delivery/{'0' * 32}/a.txt")).status_code == 404


async def test_a_signed_download_needs_no_token(platform: ApiPlatform) -> None:
    """Owner, expiry and signature are all needed, and the time must not be over."""
    uploaded = await _upload(platform)
    async with platform.client() as client, platform.client(None) as anybody:
        secret = (await client.get("/v1/webhooks/default/secret")).json()["key"]
        soon, past = str(int(time.time()) + 60), str(int(time.time()) - 1)
        path = f"/v1/files/{uploaded['id']}/download"

        async def status(expiry: str, signed: str, owner: str = "owner") -> int:
            query = {"owner": owner, "expiry": expiry, "signature": signed}
            return (await anybody.get(path, params=query)).status_code

        assert await status(soon, signature(secret, "owner", uploaded["id"], soon)) == 200
        assert await status(past, signature(secret, "owner", uploaded["id"], past)) == 404
        assert await status(soon, signature(secret, "owner", uploaded["id"], past)) == 404
        assert await status(soon, signature(secret, "other", uploaded["id"], soon), "other") == 404
        assert (await anybody.get(path)).status_code == 404


@pytest.mark.parametrize("host", ["http://localhost:8000", "https://models.test", "http://[::1]:9"])
async def test_a_file_is_an_input_by_any_of_our_names(platform: ApiPlatform, host: str) -> None:
    """An address written down under one name means the same file under another; a stranger's address stays one."""
    uploaded, other = await _upload(platform), await _upload(platform)
    path = await _address(platform, uploaded)
    gone = f"{host}/v1/files/{other['id']}"
    async with platform.client() as client:
        await client.delete(f"/v1/files/{other['id']}")
        for given, ours in (
            (f"{host}/v1/files/{uploaded['id']}", True),
            (f"{host}{path}", True),
            (gone, False),
            (f"{host}/delivery/{'0' * 32}/a.txt", False),
            (f"http://[::1/v1/files/{uploaded['id']}", False),
        ):
            body = {"version": platform.version.id, "input": {"text": given}}
            made = await client.post("/v1/predictions", json=body)
            assert made.json()["input"]["text"] == (f"{BASE}{path}" if ours else given)
    async with platform.client("other") as client:
        theirs = f"{host}/v1/files/{uploaded['id']}"
        body = {"version": platform.version.id, "input": {"text": theirs}}
        assert (await client.post("/v1/predictions", json=body)).json()["input"]["text"] == theirs
