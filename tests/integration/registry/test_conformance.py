"""The workflows of the OCI distribution specification 1.1, pull and push, over real HTTP; the others are beside it.

Each request is one that the specification gives, each expectation one of its MUSTs (section in brackets). It runs
against CNCF Distribution too, as far as that speaks 1.1: what it failed there would be an opinion of ours.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from cogyard.testing.blobs import digest_of
from cogyard.testing.pushing import IMAGE, INDEX, descriptor, small_image, small_index

from tests.integration.registry.spoken import ABSENT, DATA, EMPTY, Registry, modern, refused, spoken
from tests.integration.registry.test_parity import finished, peer

__all__ = ["modern", "peer", "spoken"]


# Pull


def test_blobs_are_pulled(spoken: Registry) -> None:
    """HEAD and GET: 404 for what is not there, else 200 with length, digest and the bytes [pulling blobs]."""
    name = "alice/pull"
    digest = spoken.blob(name, DATA)
    assert spoken.send("HEAD", f"{name}/blobs/{ABSENT}").status_code == 404
    assert refused(spoken.send("GET", f"{name}/blobs/{ABSENT}"), 404) == "BLOB_UNKNOWN"
    head = spoken.send("HEAD", f"{name}/blobs/{digest}")
    assert (head.status_code, head.headers["content-length"], head.content) == (200, str(len(DATA)), b"")
    got = spoken.send("GET", f"{name}/blobs/{digest}")
    assert (got.status_code, got.content) == (200, DATA)
    for answer in (head, got):
        assert answer.headers["docker-content-digest"] == digest


def test_parts_of_blobs_are_pulled(spoken: Registry) -> None:
    """Range requests as RFC 9110 has them: first, middle, last bytes, and 416 beyond the end [pulling blobs]."""
    name = "alice/pull"
    path = f"{name}/blobs/{spoken.blob(name, DATA)}"
    for wanted, expected in (
        ("bytes=0-9", DATA[:10]),
        ("bytes=60000-", DATA[60000:]),
        ("bytes=-5", DATA[-5:]),
        ("bytes=69990-99999", DATA[69990:]),
    ):
        answer = spoken.send("GET", path, headers={"Range": wanted})
        assert (answer.status_code, answer.content) == (206, expected)
        start = len(DATA) - len(expected) if expected == DATA[-len(expected) :] else 0
        span = f"bytes {start}-{start + len(expected) - 1}/{len(DATA)}"
        assert answer.headers["content-range"] == span


def test_parts_beyond_the_end_are_refused(modern: Registry) -> None:
    """416 with the blob's length (Distribution 2.8 announces a body there that it does not send)."""
    path = f"alice/pull/blobs/{modern.blob('alice/pull', DATA)}"
    answer = modern.send("GET", path, headers={"Range": f"bytes={len(DATA)}-"})
    assert refused(answer, 416) == "RANGE_INVALID"
    assert answer.headers["content-range"] == f"bytes */{len(DATA)}"


def test_manifests_are_pulled(spoken: Registry) -> None:
    """HEAD and GET by tag and digest: the pushed bytes, type and digest; 404 for what is not [pulling manifests]."""
    name = "alice/pull"
    image = spoken.image(name, "v1")
    accept = {"Accept": f"{IMAGE}, {INDEX}"}
    for absent in ("absent", ABSENT):
        assert spoken.send("HEAD", f"{name}/manifests/{absent}", headers=accept).status_code == 404
        answer = spoken.send("GET", f"{name}/manifests/{absent}", headers=accept)
        assert refused(answer, 404) == "MANIFEST_UNKNOWN"
    for reference in ("v1", image.digest):
        head = spoken.send("HEAD", f"{name}/manifests/{reference}", headers=accept)
        got = spoken.send("GET", f"{name}/manifests/{reference}", headers=accept)
        assert (head.status_code, head.content, got.status_code) == (200, b"", 200)
        assert got.content == image.manifest
        for answer in (head, got):
            assert answer.headers["docker-content-digest"] == image.digest
            assert answer.headers["content-type"] == IMAGE
            assert answer.headers["content-length"] == str(len(image.manifest))


# Push


def test_a_blob_is_pushed_in_two_requests(spoken: Registry) -> None:
    """POST gives a Location, PUT the blob there [monolithic, POST then PUT]."""
    name = "alice/push"
    begun = spoken.send("POST", f"{name}/blobs/uploads/")
    assert begun.status_code == 202
    done = spoken.send("PUT", finished(begun.headers["location"], digest_of(DATA)), content=DATA)
    assert done.status_code == 201
    assert spoken.send("GET", done.headers["location"]).content == DATA


def test_a_blob_is_pushed_in_one_request(modern: Registry) -> None:
    """POST with ?digest= and the content [monolithic, single POST]."""
    answer = modern.send("POST", f"alice/push/blobs/uploads/?digest={digest_of(DATA)}", content=DATA)
    assert answer.status_code == 201
    assert modern.send("GET", answer.headers["location"]).content == DATA


def test_a_blob_is_streamed(spoken: Registry) -> None:
    """PATCH of unknown length, then an empty PUT."""
    begun = spoken.send("POST", "alice/push/blobs/uploads/")

    def body() -> Iterator[bytes]:
        for start in range(0, len(DATA), 9_999):
            yield DATA[start : start + 9_999]

    more = spoken.send("PATCH", begun.headers["location"], content=body())
    assert (more.status_code, more.headers["range"]) == (202, f"0-{len(DATA) - 1}")
    done = spoken.send("PUT", finished(more.headers["location"], digest_of(DATA)))
    assert done.status_code == 201
    assert spoken.send("GET", done.headers["location"]).content == DATA


def piece(start: int, stop: int) -> dict[str, Any]:
    """Return what a PATCH of DATA[start:stop] sends."""
    headers = {"Content-Range": f"{start}-{stop - 1}", "Content-Type": "application/octet-stream"}
    return {"content": DATA[start:stop], "headers": headers}


def test_a_blob_is_pushed_in_chunks(spoken: Registry) -> None:
    """In order, each told how far it is; the last may come with the PUT [chunked]."""
    begun = spoken.send("POST", "alice/push/blobs/uploads/", headers={"Content-Length": "0"})
    where = begun.headers["location"]
    for start, stop in ((0, 20_000), (20_000, 50_000)):
        answer = spoken.send("PATCH", where, **piece(start, stop))
        assert (answer.status_code, answer.headers["range"]) == (202, f"0-{stop - 1}")
        where = answer.headers["location"]
        status = spoken.send("GET", where)
        assert (status.status_code, status.headers["range"]) == (204, f"0-{stop - 1}")
        where = status.headers["location"]
    done = spoken.send("PUT", finished(where, digest_of(DATA)), **piece(50_000, len(DATA)))
    assert done.status_code == 201
    assert spoken.send("GET", done.headers["location"]).content == DATA


def test_chunks_out_of_order_are_refused(modern: Registry) -> None:
    """416 for a gap and for a repeated chunk, after which the status says where to go on [chunked]."""
    where = modern.send("POST", "alice/push/blobs/uploads/").headers["location"]
    assert modern.send("PATCH", where, **piece(100, 200)).status_code == 416
    assert modern.send("PATCH", where, **piece(0, 1000)).status_code == 202
    for start, stop in ((0, 1000), (2000, 3000), (500, 1500)):
        answer = modern.send("PATCH", where, **piece(start, stop))
        assert refused(answer, 416) == "BLOB_UPLOAD_INVALID"
    status = modern.send("GET", where)
    assert (status.status_code, status.headers["range"]) == (204, "0-999")
    rest = modern.send("PATCH", status.headers["location"], **piece(1000, len(DATA)))
    done = modern.send("PUT", finished(rest.headers["location"], digest_of(DATA)))
    assert done.status_code == 201


def test_content_of_another_digest_is_refused(spoken: Registry) -> None:
    """And is not there afterwards, under neither name."""
    begun = spoken.send("POST", "alice/push/blobs/uploads/")
    other = digest_of(b"other")
    answer = spoken.send("PUT", finished(begun.headers["location"], other), content=DATA)
    assert refused(answer, 400) == "DIGEST_INVALID"
    for digest in (other, digest_of(DATA)):
        assert spoken.send("HEAD", f"alice/push/blobs/{digest}").status_code == 404


def test_an_upload_is_cancelled(spoken: Registry) -> None:
    """DELETE ends it; afterwards it is unknown."""
    where = spoken.send("POST", "alice/push/blobs/uploads/").headers["location"]
    assert spoken.send("DELETE", where).status_code == 204
    assert refused(spoken.send("GET", where), 404) == "BLOB_UPLOAD_UNKNOWN"


def test_a_blob_is_mounted(spoken: Registry) -> None:
    """201 where the source has it; else 202 and an upload to send it by [mounting a blob]."""
    digest = spoken.blob("alice/source", DATA)
    answer = spoken.send("POST", f"alice/target/blobs/uploads/?mount={digest}&from=alice/source")
    assert answer.status_code == 201
    assert spoken.send("GET", answer.headers["location"]).content == DATA
    absent = spoken.send("POST", f"alice/target/blobs/uploads/?mount={ABSENT}&from=alice/source")
    assert absent.status_code == 202
    data = b"sent instead"
    done = spoken.send("PUT", finished(absent.headers["location"], digest_of(data)), content=data)
    assert done.status_code == 201


def test_a_mount_without_a_source_is_an_upload(spoken: Registry) -> None:
    """Nobody learns by a digest alone what other repositories have [mounting a blob, no from]."""
    digest = spoken.blob("alice/source", DATA)
    assert spoken.send("POST", f"alice/elsewhere/blobs/uploads/?mount={digest}").status_code == 202
    assert spoken.send("HEAD", f"alice/elsewhere/blobs/{digest}").status_code == 404


def test_manifests_are_pushed(spoken: Registry) -> None:
    """By tag and by digest, 201 with a Location to pull it from and its digest [pushing manifests]."""
    name = "alice/push"
    image = spoken.image(name)
    for reference in ("v1", "V1_0-rc.1", image.digest):
        answer = spoken.manifest(name, reference, image.manifest)
        assert answer.status_code == 201
        assert answer.headers["docker-content-digest"] == image.digest
        assert (
            spoken.send("GET", answer.headers["location"], headers={"Accept": IMAGE}).content
            == image.manifest
        )


def test_indexes_are_pushed(spoken: Registry) -> None:
    """Once their images are there."""
    name = "alice/push"
    images = [(spoken.image(name, content=each.encode()), each) for each in ("amd64", "arm64")]
    index = small_index(images)
    assert spoken.manifest(name, "all", index, INDEX).status_code == 201
    got = spoken.send("GET", f"{name}/manifests/all", headers={"Accept": INDEX})
    assert (got.content, got.headers["content-type"]) == (index, INDEX)


def test_manifests_without_layers_and_of_any_artifact_are_pushed(modern: Registry) -> None:
    """A registry takes artifacts: no layers, an empty config, unknown types and fields [pushing manifests]."""
    name = "alice/artifacts"
    kinds: list[dict[str, Any]] = [
        {"layers": []},
        {"artifactType": "application/vnd.example.sbom"},
        {"layers": [descriptor(EMPTY, "application/x-unknown")], "annotations": {"a": "b"}, "x-more": [1]},
    ]
    for fields in kinds:
        digest, answer = modern.artifact(name, **fields)
        assert answer.status_code == 201
        assert modern.send("HEAD", f"{name}/manifests/{digest}").status_code == 200


def test_manifests_that_cannot_be_are_refused(spoken: Registry) -> None:
    """Not JSON, other content than the digest, blobs that are not there, names and tags of another form."""
    image = small_image()
    refused(spoken.manifest("alice/bad", "v1", b"{"), 400)
    refused(spoken.manifest("alice/bad", "v1", image.manifest), 400, 404)
    name = "alice/good"
    spoken.image(name)
    assert refused(spoken.manifest(name, ABSENT, image.manifest), 400) == "DIGEST_INVALID"
    for path in (f"{name}/manifests/.x", f"{name}/manifests/{'t' * 129}", "alice/Good/manifests/v1"):
        answer = spoken.send("PUT", path, content=image.manifest, headers={"Content-Type": IMAGE})
        assert answer.status_code in {400, 404}
