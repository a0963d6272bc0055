"""Paths and names as strangers send them."""

from __future__ import annotations

import pytest
from cogyard.registry.errors import AddressUnknownError, DistributionError, NameInvalidError
from cogyard.registry.names import Kind, Target, digest_of, reference_of, repository_of, target_of

DIGEST = "sha256:" + "0123456789abcdef" * 4


@pytest.mark.parametrize(
    ("path", "target"),
    [
        ("/v2/", Target(Kind.BASE)),
        ("/v2", Target(Kind.BASE)),
        ("/v2/a/b/blobs/uploads/", Target(Kind.UPLOADS, "a/b")),
        ("/v2/a/b/blobs/uploads", Target(Kind.UPLOADS, "a/b")),
        ("/v2/a/b/blobs/uploads/123", Target(Kind.UPLOAD, "a/b", "123")),
        (f"/v2/a/b/blobs/{DIGEST}", Target(Kind.BLOB, "a/b", DIGEST)),
        ("/v2/a/b/manifests/latest", Target(Kind.MANIFEST, "a/b", "latest")),
        ("/v2/a/b/tags/list", Target(Kind.TAGS, "a/b")),
        (f"/v2/a/b/referrers/{DIGEST}", Target(Kind.REFERRERS, "a/b", DIGEST)),
        ("/v2/manifests/blobs/manifests/tags", Target(Kind.MANIFEST, "manifests/blobs", "tags")),
        ("/v2/blobs/uploads/blobs/uploads/x", Target(Kind.UPLOAD, "blobs/uploads", "x")),
        ("/registry/token", Target(Kind.TOKEN)),
        ("/cog/v1/display-token-url", Target(Kind.TOKEN_URL)),
        ("/cog/v1/verify-token", Target(Kind.VERIFY_TOKEN)),
    ],
)
def test_a_path_names_one_thing(path: str, target: Target) -> None:
    """Paths are read from the right, so that a repository may be called as a part of the protocol."""
    assert target_of(path) == target


@pytest.mark.parametrize(
    "path", ["/", "/v2/_catalog", "/v2/a/b", "/v2/a/b/manifests/", "/v2/a/b/tags/list/", "/v2/a\nb/tags/list"]
)
def test_other_paths_name_nothing(path: str) -> None:
    """What is no part of the protocol is answered as such."""
    with pytest.raises(AddressUnknownError):
        target_of(path)


@pytest.mark.parametrize(
    "name",
    [
        "",
        "model",
        "a/b/c",
        "../etc",
        "a/..",
        "A/b",
        "a/b\n",
        "a//b",
        "a/b/",
        "/a/b",
        "a/-b",
        "a/b\x00",
        "a/" + "b" * 300,
        "a/é",
    ],
)
def test_hostile_and_unfitting_names_are_refused(name: str) -> None:
    """Only `owner/name` in lower case is a repository."""
    with pytest.raises(NameInvalidError):
        repository_of(name)


def test_a_name_without_owner_says_what_to_do() -> None:
    """The commonest mistake gets an answer that helps."""
    with pytest.raises(NameInvalidError, match="OWNER/NAME") as caught:
        repository_of("model")
    assert caught.value.hint is not None


@pytest.mark.parametrize(
    "text",
    [
        "sha256:",
        DIGEST + "0",
        DIGEST.upper(),
        DIGEST + "\n",
        "md5:" + "0" * 32,
        "sha512:" + "0" * 128,
        "sha256:../x",
    ],
)
def test_what_is_no_digest_is_refused(text: str) -> None:
    """Exactly `sha256:` and 64 hex digits, everywhere a digest stands."""
    with pytest.raises(DistributionError) as caught:
        digest_of(text)
    assert caught.value.code == "DIGEST_INVALID"
    with pytest.raises(DistributionError):
        reference_of(text)


@pytest.mark.parametrize("text", ["", ".x", "-x", "x" * 129, "a b", "a/b", "x\n", "é", "..\\x"])
def test_what_is_no_tag_is_refused(text: str) -> None:
    """128 characters of a small alphabet, not beginning with a dot or a dash."""
    with pytest.raises(DistributionError) as caught:
        reference_of(text)
    assert caught.value.code == "TAG_INVALID"


def test_good_names_pass() -> None:
    """Names are returned as they came."""
    assert repository_of("alice/my-model_1.x") == "alice/my-model_1.x"
    assert reference_of("v1.0_RC-2") == "v1.0_RC-2"
    assert reference_of(DIGEST) == DIGEST
