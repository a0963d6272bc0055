"""skopeo, which nobody here wrote, pushes to the registry, pulls from it, and understands its refusals."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.integration.registry.conftest import Running

pytestmark = pytest.mark.skipif(
    shutil.which("skopeo") is None or shutil.which("umoci") is None, reason="skopeo or umoci is not installed"
)


def skopeo(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run it, for a minute at most."""
    return subprocess.run(["skopeo", *arguments], capture_output=True, text=True, timeout=60, check=False)


@pytest.fixture
def layout(tmp_path: Path) -> str:
    """Make an image in an OCI layout with umoci, with labels as Cog's."""
    folder, root = tmp_path / "layout", tmp_path / "root"
    root.mkdir()
    (root / "predict.py").write_text("print('hello')\n" * 100_000)
    name = f"{folder}:latest"
    for command in (
        ("init", "--layout", str(folder)),
        ("new", "--image", name),
        ("insert", "--image", name, str(root), "/src"),
        ("config", "--image", name, "--config.label", 'run.cog.openapi_schema={"openapi":"3.0.2"}'),
    ):
        subprocess.run(["umoci", *command], check=True, timeout=60)
    return f"oci:{name}"


def push(layout: str, registry: Running, to: str, *options: str, creds: str = "alice:cyd_alice") -> str:
    """Copy the layout there; return what it said on failure."""
    copied = skopeo(
        "copy",
        "--dest-tls-verify=false",
        f"--dest-creds={creds}",
        *options,
        layout,
        f"docker://{registry.host}/{to}",
    )
    return copied.stderr if copied.returncode else ""


def test_an_image_goes_there_and_back(registry: Running, layout: str, tmp_path: Path) -> None:
    """What comes back has the same digest, blob by blob, and the push was told of."""
    assert push(layout, registry, "alice/model:v1") == ""
    (seen,) = registry.pushes.seen
    assert (seen.repository, seen.tag) == ("alice/model", "v1")
    assert seen.labels["run.cog.openapi_schema"] == '{"openapi":"3.0.2"}'
    back = tmp_path / "back"
    pulled = skopeo(
        "copy",
        "--src-tls-verify=false",
        "--src-creds=alice:cyd_alice",
        f"docker://{registry.host}/alice/model:v1",
        f"oci:{back}:latest",
    )
    assert pulled.returncode == 0, pulled.stderr
    index = json.loads((back / "index.json").read_text())
    assert index["manifests"][0]["digest"] == seen.digest
    again = (tmp_path / "layout" / "blobs" / "sha256").iterdir()
    original = json.loads((tmp_path / "layout" / "index.json").read_text())["manifests"][0]["digest"]
    assert original == seen.digest
    assert {path.name for path in (back / "blobs" / "sha256").iterdir()} <= {path.name for path in again}


def test_the_same_image_in_docker_s_format(registry: Running, layout: str) -> None:
    """Schema 2 is kept as it comes."""
    assert push(layout, registry, "alice/model:v2s2", "--format=v2s2") == ""
    raw = skopeo(
        "inspect",
        "--raw",
        "--tls-verify=false",
        "--creds=alice:cyd_alice",
        f"docker://{registry.host}/alice/model:v2s2",
    )
    assert json.loads(raw.stdout)["mediaType"] == "application/vnd.docker.distribution.manifest.v2+json"


def test_tags_are_listed_and_deleted(registry: Running, layout: str) -> None:
    """list-tags and delete, which asks for every scope at once."""
    for tag in ("one", "two"):
        assert push(layout, registry, f"alice/model:{tag}") == ""
    creds = ("--tls-verify=false", "--creds=alice:cyd_alice")
    listed = skopeo("list-tags", *creds, f"docker://{registry.host}/alice/model")
    assert json.loads(listed.stdout)["Tags"] == ["one", "two"]
    deleted = skopeo("delete", *creds, f"docker://{registry.host}/alice/model:one")
    assert deleted.returncode == 0, deleted.stderr
    # skopeo deletes the manifest, so that every tag of it goes.
    listed = skopeo("list-tags", *creds, f"docker://{registry.host}/alice/model")
    assert "404" in listed.stderr


def test_somebody_else_is_refused_in_words(registry: Running, layout: str) -> None:
    """The registry's sentence reaches the person."""
    said = push(layout, registry, "alice/model:v1", creds="bob:cyd_bob")
    assert "denied" in said
    assert "alice/model belongs to alice" in said
    assert registry.pushes.seen == []


def test_wrong_credentials_are_refused(registry: Running, layout: str) -> None:
    """At the token endpoint, before anything is sent."""
    assert "username/password" in push(layout, registry, "alice/model:v1", creds="alice:wrong")


def test_a_private_image_is_not_there_for_others(registry: Running, layout: str) -> None:
    """Nobody and somebody else; a public one is there for both."""
    assert push(layout, registry, "alice/model:v1") == ""
    where = f"docker://{registry.host}/alice/model:v1"
    assert "unauthorized" in skopeo("inspect", "--tls-verify=false", where).stderr
    stranger = skopeo("inspect", "--tls-verify=false", "--creds=bob:cyd_bob", where)
    assert "There is no repository alice/model" in stranger.stderr
    registry.people.models["alice/model"] = True
    for creds in ((), ("--creds=bob:cyd_bob",)):
        assert skopeo("inspect", "--tls-verify=false", *creds, where).returncode == 0
