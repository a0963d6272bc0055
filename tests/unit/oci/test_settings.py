"""How registries are reached: the mirror, plain http, and the credentials that are kept."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from cogyard.oci.errors import InvalidReferenceError
from cogyard.oci.reference import Reference
from cogyard.oci.settings import client_for, connect, mirrored


@pytest.mark.parametrize(
    ("name", "mirror", "expected"),
    [
        ("python:3.13-slim", "", "docker.io/library/python:3.13-slim"),
        ("python:3.13-slim", "m.example:5000", "m.example:5000/library/python:3.13-slim"),
        ("me/base", "m.example/hub/", "m.example/hub/me/base:latest"),
        ("other.example/me/base", "m.example", "other.example/me/base:latest"),
    ],
)
def test_only_docker_hubs_images_come_from_the_mirror(name: str, mirror: str, expected: str) -> None:
    """A mirror stands for Docker Hub, with a prefix where it has one."""
    assert str(mirrored(Reference.parse(name), {"COGYARD_REGISTRY_MIRROR": mirror})) == expected


@pytest.mark.parametrize("mirror", ["https://m.example", "m.example:99999", "-x", "a b"])
def test_a_mirror_that_is_none_is_refused(mirror: str) -> None:
    """The message names the setting and its form."""
    with pytest.raises(InvalidReferenceError, match="COGYARD_REGISTRY_MIRROR"):
        mirrored(Reference.parse("python"), {"COGYARD_REGISTRY_MIRROR": mirror})


def test_plain_http_is_a_setting() -> None:
    """Hosts on the list, and only they, are spoken to in the open."""
    environment = {"COGYARD_INSECURE_REGISTRIES": "a.example:5000, b.example"}
    assert client_for("a.example:5000", environment, None).base == "http://a.example:5000"
    assert client_for("b.example", environment, None).base == "http://b.example"
    assert client_for("c.example", environment, None).base == "https://c.example"


def test_kept_credentials_are_used(tmp_path: Path) -> None:
    """They are read from where docker keeps them."""
    auths = {"a.example": {"username": "me", "password": "x"}}
    (tmp_path / "config.json").write_text(json.dumps({"auths": auths}))
    assert "me" in repr(connect("a.example", {"DOCKER_CONFIG": str(tmp_path)}).credential)
    assert connect("b.example", {"DOCKER_CONFIG": str(tmp_path)}).credential is None
