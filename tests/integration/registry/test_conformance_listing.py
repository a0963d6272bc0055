"""Discovery and management of the OCI distribution specification 1.1 (see test_conformance.py), over real HTTP."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import httpx2
from cogyard.testing.blobs import digest_of
from cogyard.testing.pushing import IMAGE, INDEX, descriptor, small_image, small_index

from tests.integration.registry.spoken import ABSENT, DATA, EMPTY_TYPE, Registry, modern, refused, spoken
from tests.integration.registry.test_parity import peer

__all__ = ["modern", "peer", "spoken"]


# Content discovery


def test_tags_are_listed(spoken: Registry) -> None:
    """All of them, and in order (Distribution 2.8 knows no order) [listing tags]."""
    name = "alice/tags"
    image = spoken.image(name)
    for tag in ("c", "a", "b", "latest"):
        spoken.manifest(name, tag, image.manifest)
    answer = spoken.send("GET", f"{name}/tags/list")
    tags = answer.json()["tags"]
    assert (answer.status_code, answer.json()["name"]) == (200, name)
    assert (tags if spoken.speaks_1_1 else sorted(tags)) == ["a", "b", "c", "latest"]
    assert refused(spoken.send("GET", "alice/nothing/tags/list"), 404) == "NAME_UNKNOWN"


def test_tags_come_in_pages(modern: Registry) -> None:
    """`n` bounds a page, `last` begins after a tag, Link leads to the next and is absent at the end [listing tags]."""
    name = "alice/tags"
    image = modern.image(name)
    names = [f"v{number}" for number in range(10, 17)]
    for tag in names:
        modern.manifest(name, tag, image.manifest)
    found: list[str] = []
    path = f"/v2/{name}/tags/list?n=3"
    while path:
        answer = modern.send("GET", path)
        page = answer.json()["tags"]
        assert len(page) <= 3
        found += page
        link = answer.headers.get("link", "")
        assert (not link) == (len(found) == len(names))
        path = link.partition(";")[0].strip("<> ") if link else ""
        assert not link or 'rel="next"' in link
    assert found == names
    assert modern.send("GET", f"{name}/tags/list?n=2&last=v12").json()["tags"] == ["v13", "v14"]
    assert modern.send("GET", f"{name}/tags/list?n=0").json()["tags"] == []
    assert modern.send("GET", f"{name}/tags/list?last=v16").json()["tags"] == []


def listed(answer: httpx2.Response) -> list[Mapping[str, Any]]:
    """Hold an answer to the referrers' form; return its descriptors [listing referrers]."""
    assert (answer.status_code, answer.headers["content-type"]) == (200, INDEX)
    index = answer.json()
    assert (index["schemaVersion"], index["mediaType"]) == (2, INDEX)
    found: list[Mapping[str, Any]] = index["manifests"]
    return found


def test_referrers_are_listed(modern: Registry) -> None:
    """What names a manifest as its subject, with type and annotations, by OCI-Subject told to whoever pushed it."""
    name = "alice/referrers"
    image = modern.image(name, "v1")
    subject = descriptor(image.manifest, IMAGE)
    signature, answer = modern.artifact(
        name, subject=subject, artifactType="application/vnd.example.signature", annotations={"by": "alice"}
    )
    assert answer.headers["oci-subject"] == image.digest
    plain, _ = modern.artifact(name, subject=subject)
    index = json.loads(small_index([(image, "amd64")]))
    index |= {"subject": subject, "artifactType": "application/vnd.example.bundle"}
    content = json.dumps(index).encode()
    assert modern.manifest(name, digest_of(content), content, INDEX).headers["oci-subject"] == image.digest
    found = {each["digest"]: each for each in listed(modern.send("GET", f"{name}/referrers/{image.digest}"))}
    assert set(found) == {signature, plain, digest_of(content)}
    assert found[signature]["artifactType"] == "application/vnd.example.signature"
    assert found[signature]["annotations"] == {"by": "alice"}
    assert (found[signature]["mediaType"], found[digest_of(content)]["mediaType"]) == (IMAGE, INDEX)
    assert found[plain]["artifactType"] == EMPTY_TYPE
    assert found[digest_of(content)]["artifactType"] == "application/vnd.example.bundle"
    head = modern.send("HEAD", f"{name}/referrers/{image.digest}")
    assert (head.status_code, head.content) == (200, b"")


def test_referrers_are_filtered(modern: Registry) -> None:
    """By artifactType, and the answer says so."""
    name = "alice/referrers"
    image = modern.image(name)
    subject = descriptor(image.manifest, IMAGE)
    wanted, _ = modern.artifact(name, subject=subject, artifactType="application/a+json")
    modern.artifact(name, subject=subject, artifactType="application/b")
    answer = modern.send(
        "GET", f"{name}/referrers/{image.digest}", params={"artifactType": "application/a+json"}
    )
    assert [each["digest"] for each in listed(answer)] == [wanted]
    assert answer.headers["oci-filters-applied"] == "artifactType"
    every = modern.send("GET", f"{name}/referrers/{image.digest}")
    assert (len(listed(every)), "oci-filters-applied" in every.headers) == (2, False)


def test_a_subject_need_not_be_there(modern: Registry) -> None:
    """An empty list for a manifest nobody refers to; a referrer may come before what it is about."""
    name = "alice/referrers"
    modern.image(name)
    assert listed(modern.send("GET", f"{name}/referrers/{ABSENT}")) == []
    later = descriptor(small_image(b"later").manifest, IMAGE)
    digest, answer = modern.artifact(name, subject=later)
    assert answer.status_code == 201
    assert [each["digest"] for each in listed(modern.send("GET", f"{name}/referrers/{later['digest']}"))] == [
        digest
    ]
    assert modern.send("GET", f"{name}/referrers/sha256:short").status_code == 400


# Content management


def test_tags_are_deleted(modern: Registry) -> None:
    """202; the tag is gone, the manifest and its other tags stay [deleting tags]."""
    name = "alice/delete"
    image = modern.image(name, "v1")
    modern.manifest(name, "v2", image.manifest)
    assert modern.send("DELETE", f"{name}/manifests/v1").status_code == 202
    assert modern.send("GET", f"{name}/manifests/v1").status_code == 404
    assert modern.send("GET", f"{name}/tags/list").json()["tags"] == ["v2"]
    assert modern.send("GET", f"{name}/manifests/{image.digest}").status_code == 200
    assert modern.send("DELETE", f"{name}/manifests/v1").status_code == 404


def test_manifests_are_deleted(spoken: Registry) -> None:
    """202, with all tags; then 404 [deleting manifests]."""
    name = "alice/delete"
    image = spoken.image(name, "v1")
    assert spoken.send("DELETE", f"{name}/manifests/{image.digest}").status_code == 202
    for reference in ("v1", image.digest):
        answer = spoken.send("GET", f"{name}/manifests/{reference}", headers={"Accept": IMAGE})
        assert refused(answer, 404) == "MANIFEST_UNKNOWN"
    assert refused(spoken.send("DELETE", f"{name}/manifests/{image.digest}"), 404)


def test_a_deleted_referrer_is_listed_no_more(modern: Registry) -> None:
    """And the list is empty, not gone."""
    name = "alice/delete"
    image = modern.image(name)
    digest, _ = modern.artifact(name, subject=descriptor(image.manifest, IMAGE))
    assert modern.send("DELETE", f"{name}/manifests/{digest}").status_code == 202
    assert listed(modern.send("GET", f"{name}/referrers/{image.digest}")) == []


def test_blobs_are_deleted(spoken: Registry) -> None:
    """202; then 404, here and not elsewhere [deleting blobs]."""
    digest = spoken.blob("alice/delete", DATA)
    assert spoken.send("DELETE", f"alice/delete/blobs/{digest}").status_code == 202
    assert spoken.send("GET", f"alice/delete/blobs/{digest}").status_code == 404
    assert refused(spoken.send("DELETE", f"alice/delete/blobs/{digest}"), 404) == "BLOB_UNKNOWN"
