"""What the protocol promises, request by request, over fakes."""

from __future__ import annotations

import json

import httpx2
import pytest
from cogyard.testing.blobs import digest_of
from cogyard.testing.pushing import (
    IMAGE,
    INDEX,
    LAYER,
    descriptor,
    push_blob,
    push_image,
    put_manifest,
    small_image,
    small_index,
)

from tests.unit.registry.conftest import ALICE, BOB, Surroundings, code

pytestmark = pytest.mark.anyio
DATA = bytes(range(256)) * 8


async def test_the_base_wants_to_know_who_asks(client: httpx2.AsyncClient) -> None:
    """401 with a challenge that names the token endpoint; 200 with credentials."""
    answer = await client.get("/v2/")
    assert (answer.status_code, code(answer)) == (401, "UNAUTHORIZED")
    expected = 'Bearer realm="http://registry.test/registry/token",service="registry.test"'
    assert answer.headers["www-authenticate"] == expected
    assert (await client.get("/v2/", auth=ALICE)).status_code == 200
    assert (await client.get("/v2/", auth=httpx2.BasicAuth("alice", "wrong"))).status_code == 401


async def test_an_image_goes_in_and_comes_out(client: httpx2.AsyncClient, behind: Surroundings) -> None:
    """A push makes the model, and what is pulled is what was pushed, byte for byte."""
    image = small_image(labels={"run.cog.version": "0.1"})
    answer = await push_image(client, "alice/new", image, "v1", auth=ALICE)
    assert answer.status_code == 201
    assert answer.headers["docker-content-digest"] == image.digest
    assert answer.headers["location"] == f"/v2/alice/new/manifests/{image.digest}"
    assert behind.people.models["alice/new"] is False
    for reference in ("v1", image.digest):
        answer = await client.get(f"/v2/alice/new/manifests/{reference}", auth=ALICE)
        assert answer.content == image.manifest
        assert answer.headers["content-type"] == IMAGE
        head = await client.head(f"/v2/alice/new/manifests/{reference}", auth=ALICE)
        assert (head.status_code, head.content) == (200, b"")
        assert head.headers["content-length"] == str(len(image.manifest))
    (push,) = behind.pushes.seen
    assert (push.repository, push.digest, push.tag, push.account.username) == (
        "alice/new",
        image.digest,
        "v1",
        "alice",
    )
    assert push.labels == {"run.cog.version": "0.1"}
    assert push.size == len(image.config) + len(image.layer)
    assert push.platform == "linux/amd64"


async def test_nothing_is_visible_before_the_manifest(
    client: httpx2.AsyncClient, behind: Surroundings
) -> None:
    """Blobs alone make neither a model nor a tag."""
    await push_blob(client, "alice/new", DATA, auth=ALICE)
    assert "alice/new" not in behind.people.models
    answer = await client.get("/v2/alice/new/tags/list", auth=ALICE)
    assert (answer.status_code, code(answer)) == (404, "NAME_UNKNOWN")
    image = small_image()
    answer = await put_manifest(client, "alice/new", image.manifest, "latest", auth=ALICE)
    assert (answer.status_code, code(answer)) == (400, "MANIFEST_BLOB_UNKNOWN")
    assert "alice/new" not in behind.people.models
    assert behind.pushes.seen == []


async def test_a_blob_can_be_read_whole_and_in_parts(client: httpx2.AsyncClient) -> None:
    """GET, HEAD, ranges and conditions."""
    await push_blob(client, "alice/model", DATA, auth=ALICE)
    url = f"/v2/alice/model/blobs/{digest_of(DATA)}"
    whole = await client.get(url, auth=ALICE)
    assert whole.content == DATA
    assert whole.headers["docker-content-digest"] == digest_of(DATA)
    assert whole.headers["x-content-type-options"] == "nosniff"
    head = await client.head(url, auth=ALICE)
    assert (head.status_code, head.content, head.headers["content-length"]) == (200, b"", str(len(DATA)))
    part = await client.get(url, auth=ALICE, headers={"Range": "bytes=10-19"})
    assert (part.status_code, part.content) == (206, DATA[10:20])
    assert part.headers["content-range"] == f"bytes 10-19/{len(DATA)}"
    beyond = await client.get(url, auth=ALICE, headers={"Range": f"bytes={len(DATA)}-"})
    assert (beyond.status_code, code(beyond)) == (416, "RANGE_INVALID")
    known = await client.get(url, auth=ALICE, headers={"If-None-Match": whole.headers["etag"]})
    assert (known.status_code, known.content) == (304, b"")
    stale = {"Range": "bytes=0-1", "If-Range": '"other"'}
    assert (await client.get(url, auth=ALICE, headers=stale)).status_code == 200


async def test_a_blob_in_pieces(client: httpx2.AsyncClient) -> None:
    """POST, PATCH with ranges, status, PUT; pieces that do not fit are refused with the right place."""
    begun = await client.post("/v2/alice/model/blobs/uploads/", auth=ALICE)
    assert (begun.status_code, begun.headers["range"]) == (202, "0-0")
    where = begun.headers["location"]
    answer = await client.patch(where, auth=ALICE, content=DATA[:1000], headers={"Content-Range": "0-999"})
    assert (answer.status_code, answer.headers["range"]) == (202, "0-999")
    assert answer.headers["docker-upload-uuid"] in where
    gap = await client.patch(
        where, auth=ALICE, content=DATA[1100:1200], headers={"Content-Range": "1100-1199"}
    )
    assert (gap.status_code, code(gap), gap.headers["range"]) == (416, "BLOB_UPLOAD_INVALID", "0-999")
    lie = await client.patch(
        where, auth=ALICE, content=DATA[1000:1010], headers={"Content-Range": "1000-1999"}
    )
    assert (lie.status_code, code(lie)) == (400, "SIZE_INVALID")
    status = await client.get(where, auth=ALICE)
    assert (status.status_code, status.headers["range"]) == (204, "0-999")
    await client.patch(where, auth=ALICE, content=DATA[1000:1500])
    done = await client.put(where, auth=ALICE, content=DATA[1500:], params={"digest": digest_of(DATA)})
    assert done.status_code == 201
    assert (await client.get(done.headers["location"], auth=ALICE)).content == DATA
    gone = await client.get(where, auth=ALICE)
    assert (gone.status_code, code(gone)) == (404, "BLOB_UPLOAD_UNKNOWN")


async def test_a_wrong_digest_keeps_nothing(client: httpx2.AsyncClient, behind: Surroundings) -> None:
    """By one request and by several."""
    other = {"digest": digest_of(b"other")}
    answer = await client.post("/v2/alice/model/blobs/uploads/", auth=ALICE, params=other, content=DATA)
    assert (answer.status_code, code(answer)) == (400, "DIGEST_INVALID")
    begun = await client.post("/v2/alice/model/blobs/uploads/", auth=ALICE)
    answer = await client.put(begun.headers["location"], auth=ALICE, params=other, content=DATA)
    assert (answer.status_code, code(answer)) == (400, "DIGEST_INVALID")
    answer = await client.put(begun.headers["location"], auth=ALICE, content=DATA)
    assert (answer.status_code, code(answer)) == (400, "DIGEST_INVALID")
    assert behind.blobs.content == {}
    assert behind.repositories.blobs == {}


async def test_an_upload_can_be_cancelled(client: httpx2.AsyncClient) -> None:
    """204, then it is unknown."""
    begun = await client.post("/v2/alice/model/blobs/uploads/", auth=ALICE)
    assert (await client.delete(begun.headers["location"], auth=ALICE)).status_code == 204
    assert (await client.delete(begun.headers["location"], auth=ALICE)).status_code == 404


async def test_a_blob_larger_than_allowed_is_refused(client: httpx2.AsyncClient) -> None:
    """With the limit in the answer."""
    answer = await push_blob(client, "alice/model", bytes((1 << 20) + 1), auth=ALICE)
    assert answer.status_code == 413
    assert answer.json()["errors"][0]["detail"] == {"limit": 1 << 20}


async def test_an_upload_belongs_to_its_repository(client: httpx2.AsyncClient) -> None:
    """Its id opens nothing elsewhere, even for its owner."""
    begun = await client.post("/v2/alice/model/blobs/uploads/", auth=ALICE)
    elsewhere = begun.headers["location"].replace("alice/model", "alice/other")
    for answer in (
        await client.get(elsewhere, auth=ALICE),
        await client.patch(elsewhere, auth=ALICE, content=b"x"),
        await client.put(elsewhere, auth=ALICE, params={"digest": digest_of(b"")}),
        await client.delete(elsewhere, auth=ALICE),
    ):
        assert answer.status_code == 404


async def test_a_mount_needs_a_source_that_may_be_read(client: httpx2.AsyncClient) -> None:
    """A readable source gives the blob at once; all else opens an upload, and tells nothing."""
    await push_blob(client, "alice/public", DATA, auth=ALICE)
    await push_blob(client, "alice/private", b"private", auth=ALICE)

    async def mount(data: bytes, source: str | None) -> httpx2.Response:
        params = {"mount": digest_of(data), **({"from": source} if source else {})}
        return await client.post("/v2/bob/model/blobs/uploads/", auth=BOB, params=params)

    taken = await mount(DATA, "alice/public")
    assert taken.status_code == 201
    assert (await client.get(taken.headers["location"], auth=BOB)).content == DATA
    for data, source in (
        (b"private", "alice/private"),
        (b"private", "alice/public"),
        (b"private", None),
        (b"nowhere", "alice/public"),
        (b"private", "../x"),
    ):
        answer = await mount(data, source)
        assert answer.status_code == 202, (data, source)
        assert "uploads" in answer.headers["location"]
    assert (await client.get(f"/v2/bob/model/blobs/{digest_of(b'private')}", auth=BOB)).status_code == 404


async def test_a_blob_is_read_only_through_a_repository_that_has_it(client: httpx2.AsyncClient) -> None:
    """Knowing a digest opens nothing."""
    await push_blob(client, "alice/private", DATA, auth=ALICE)
    for repository in ("bob/model", "alice/public"):
        answer = await client.get(f"/v2/{repository}/blobs/{digest_of(DATA)}", auth=BOB)
        assert answer.status_code == 404


async def test_a_private_repository_answers_as_one_that_does_not_exist(client: httpx2.AsyncClient) -> None:
    """Word for word, whatever is asked, by strangers and by nobody."""
    image = small_image()
    await push_image(client, "alice/private", image, auth=ALICE)
    paths = (
        "/v2/{}/manifests/latest",
        f"/v2/{{}}/manifests/{image.digest}",
        "/v2/{}/tags/list",
        f"/v2/{{}}/blobs/{digest_of(image.layer)}",
        f"/v2/{{}}/referrers/{image.digest}",
    )
    for auth in (BOB, None):
        for path in paths:
            private = await client.get(path.format("alice/private"), auth=auth)
            absent = await client.get(path.format("alice/absentt"), auth=auth)
            assert private.status_code == absent.status_code == (404 if auth else 401)
            assert private.text == absent.text.replace("absentt", "private")
            challenges = [each.headers.get("www-authenticate", "") for each in (private, absent)]
            assert challenges[0] == challenges[1].replace("absentt", "private")
            head = await client.request("HEAD", path.format("alice/private"), auth=auth)
            assert head.status_code == private.status_code


async def test_somebody_elses_namespace_is_denied_clearly(client: httpx2.AsyncClient) -> None:
    """The refusal names both, says what to do, and is the same whether or not the model exists."""
    for repository in ("alice/private", "alice/public", "alice/absent"):
        answer = await client.post(f"/v2/{repository}/blobs/uploads/", auth=BOB)
        assert (answer.status_code, code(answer)) == (403, "DENIED")
        assert "bob" in answer.json()["errors"][0]["message"]
        answer = await put_manifest(client, repository, small_image().manifest, "latest", auth=BOB)
        assert answer.status_code == 403
    answer = await client.post("/v2/alice/public/blobs/uploads/")
    assert answer.status_code == 401
    assert 'scope="repository:alice/public:pull,push"' in answer.headers["www-authenticate"]


async def test_anyone_reads_a_public_repository(client: httpx2.AsyncClient) -> None:
    """Without credentials and without a token."""
    image = small_image()
    await push_image(client, "alice/public", image, auth=ALICE)
    assert (await client.get("/v2/alice/public/manifests/latest")).content == image.manifest
    assert (await client.get(f"/v2/alice/public/blobs/{digest_of(image.layer)}")).content == image.layer
    assert (await client.get("/v2/alice/public/tags/list")).json()["tags"] == ["latest"]


async def test_an_index_means_its_image_for_our_hosts(
    client: httpx2.AsyncClient, behind: Surroundings
) -> None:
    """Its parts come untagged; the one that runs here is told of, with the index's tag."""
    ours, other = small_image(b"amd64"), small_image(b"arm64", architecture="arm64")
    await push_image(client, "alice/model", other, None, auth=ALICE)
    assert behind.pushes.seen == []
    await push_image(client, "alice/model", ours, None, auth=ALICE)
    index = small_index([(other, "arm64"), (ours, "amd64")])
    answer = await put_manifest(client, "alice/model", index, "v1", INDEX, auth=ALICE)
    assert answer.status_code == 201
    last = behind.pushes.seen[-1]
    assert (last.digest, last.tag, last.index) == (ours.digest, "v1", digest_of(index))
    assert {each.digest for each in behind.pushes.seen} == {ours.digest}
    got = await client.get(
        "/v2/alice/model/manifests/v1", auth=ALICE, headers={"Accept": f"{INDEX}, {IMAGE}"}
    )
    assert (got.content, got.headers["content-type"]) == (index, INDEX)


async def test_a_client_gets_a_type_that_it_accepts(client: httpx2.AsyncClient) -> None:
    """An index for who reads one, its image for who does not, and a clear 404 for who reads neither."""
    image = small_image()
    await push_image(client, "alice/model", image, None, auth=ALICE)
    index = small_index([(image, "amd64")])
    await put_manifest(client, "alice/model", index, "v1", INDEX, auth=ALICE)
    for accept, expected in ((IMAGE, image.manifest), ("*/*", index), (f"{INDEX};q=0.5,{IMAGE}", index)):
        got = await client.get("/v2/alice/model/manifests/v1", auth=ALICE, headers={"Accept": accept})
        assert got.content == expected
    docker = {"Accept": "application/vnd.docker.distribution.manifest.v2+json"}
    answer = await client.get("/v2/alice/model/manifests/v1", auth=ALICE, headers=docker)
    assert (answer.status_code, code(answer)) == (404, "MANIFEST_UNKNOWN")


async def test_an_index_needs_its_images(client: httpx2.AsyncClient) -> None:
    """An index of what is not there is refused."""
    index = small_index([(small_image(), "amd64")])
    answer = await put_manifest(client, "alice/model", index, "v1", INDEX, auth=ALICE)
    assert (answer.status_code, code(answer)) == (400, "MANIFEST_BLOB_UNKNOWN")


async def test_a_manifest_by_another_digest_is_refused(client: httpx2.AsyncClient) -> None:
    """A version's name is its content."""
    image = small_image()
    await push_image(client, "alice/model", image, auth=ALICE)
    answer = await put_manifest(client, "alice/model", image.manifest + b" ", image.digest, auth=ALICE)
    assert (answer.status_code, code(answer)) == (400, "DIGEST_INVALID")


async def test_a_schema_label_that_is_not_json_is_refused(
    client: httpx2.AsyncClient, behind: Surroundings
) -> None:
    """Before anything is visible, with the label's name."""
    for label in ("{", "[]"):
        image = small_image(labels={"run.cog.openapi_schema": label})
        answer = await push_image(client, "alice/new", image, auth=ALICE)
        assert (answer.status_code, code(answer)) == (400, "MANIFEST_INVALID")
        assert "run.cog.openapi_schema" in answer.json()["errors"][0]["message"]
    assert "alice/new" not in behind.people.models


async def test_pushing_again_tells_again(client: httpx2.AsyncClient, behind: Surroundings) -> None:
    """So that an interrupted push is repaired by repeating it."""
    for _ in range(2):
        assert (await push_image(client, "alice/model", small_image(), auth=ALICE)).status_code == 201
    assert len(behind.pushes.seen) == 2


async def test_names_and_methods_that_do_not_fit_are_refused(client: httpx2.AsyncClient) -> None:
    """With the protocol's codes."""
    for method, path, status, expected in (
        ("GET", "/v2/model/tags/list", 400, "NAME_INVALID"),
        ("GET", "/v2/a/../b/tags/list", 400, "NAME_INVALID"),
        ("GET", "/v2/alice/model/manifests/-x", 400, "TAG_INVALID"),
        ("GET", "/v2/alice/model/blobs/sha256:x", 400, "DIGEST_INVALID"),
        ("POST", "/v2/alice/model/manifests/x", 405, "UNSUPPORTED"),
        ("GET", "/v2/_catalog", 404, "UNSUPPORTED"),
    ):
        answer = await client.request(method, f"http://registry.test{path}", auth=ALICE)
        assert (answer.status_code, code(answer)) == (status, expected), path


async def test_a_layer_is_not_confused_with_another_media_type(client: httpx2.AsyncClient) -> None:
    """A manifest that names a blob with another size than it has is refused."""
    image = small_image()
    await push_blob(client, "alice/model", image.layer, auth=ALICE)
    await push_blob(client, "alice/model", image.config, auth=ALICE)
    document = json.loads(image.manifest)
    document["layers"][0] = {**descriptor(image.layer, LAYER), "size": 7}
    answer = await put_manifest(client, "alice/model", json.dumps(document).encode(), "latest", auth=ALICE)
    assert (answer.status_code, code(answer)) == (400, "MANIFEST_BLOB_UNKNOWN")


async def test_a_failure_of_ours_is_named_and_says_nothing_else(
    client: httpx2.AsyncClient,
    behind: Surroundings,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Whoever pushes reads under which name the log has it; the log has what happened."""

    async def breaks(*_: object) -> None:
        raise RuntimeError("s3cret")

    monkeypatch.setattr(behind.repositories, "manifest", breaks)
    answer = await client.get("/v2/alice/public/manifests/latest", headers={"X-Request-Id": "edge-7"})
    (said,) = answer.json()["errors"]
    assert (answer.status_code, said["code"], said["detail"]) == (500, "UNKNOWN", {"request_id": "edge-7"})
    assert "edge-7" in said["message"]
    assert "s3cret" not in answer.text
    assert answer.headers["x-request-id"] == "edge-7"
    assert [vars(each)["request_id"] for each in caplog.records if each.getMessage() == "request_broke"] == [
        "edge-7"
    ]
