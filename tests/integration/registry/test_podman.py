"""podman and buildah, which nobody here wrote, build, push and pull; umoci unpacks what came back."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.integration.registry.conftest import Running

pytestmark = [
    pytest.mark.skipif(
        shutil.which("podman") is None or shutil.which("buildah") is None,
        reason="podman or buildah is not installed",
    ),
    pytest.mark.skipif(os.geteuid() != 0, reason="podman's plain storage driver is tried as root only"),
]
LABEL = 'run.cog.openapi_schema={"openapi":"3.0.2"}'


@dataclass(frozen=True)
class Tools:
    """podman and buildah over a storage of their own, and a file of credentials of their own."""

    folder: Path

    def __call__(self, tool: str, *arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        """Run one, for two minutes at most."""
        storage = ["--root", str(self.folder / "storage"), "--runroot", str(self.folder / "run")]
        environment = {
            **os.environ,
            "REGISTRY_AUTH_FILE": str(self.folder / "auth.json"),
            "TMPDIR": str(self.folder),
            "BUILDAH_ISOLATION": "chroot",
        }
        return subprocess.run(
            [tool, *storage, "--storage-driver", "vfs", *arguments],
            input=stdin, capture_output=True, text=True, timeout=120, check=False, env=environment,
        )  # fmt: skip

    def done(self, tool: str, *arguments: str, stdin: str = "") -> str:
        """Run one that must go well; return what it printed."""
        ended = self(tool, *arguments, stdin=stdin)
        assert ended.returncode == 0, ended.stderr
        return ended.stdout.strip()

    def build(self, name: str, text: str = "print('hello')\n", *, architecture: str = "amd64") -> None:
        """Make an image from nothing, with one file and Cog's label."""
        source = self.folder / "predict.py"
        source.write_text(text)
        container = self.done("buildah", "from", "scratch")
        self.done("buildah", "copy", container, str(source), "/src/predict.py")
        self.done("buildah", "config", "--label", LABEL, "--arch", architecture, "--os", "linux", container)
        self.done("buildah", "commit", "--rm", container, name)


@pytest.fixture
def tools() -> Iterator[Tools]:
    """Give both tools, in a folder with a short path, as podman wants it."""
    with tempfile.TemporaryDirectory(prefix="cogyard-podman-", ignore_cleanup_errors=True) as folder:
        (Path(folder) / "auth.json").write_text("{}")
        yield Tools(Path(folder))


def test_podman_pushes_and_pulls(registry: Running, tools: Tools) -> None:
    """Logged in, by tag and by digest; what comes back is the image that was pushed, and a version was told of."""
    tools.done(
        "podman",
        "login",
        "--tls-verify=false",
        "-u",
        "alice",
        "--password-stdin",
        registry.host,
        stdin="cyd_alice",
    )
    target = f"{registry.host}/alice/model"
    tools.build("localhost/model")
    tools.done("podman", "tag", "localhost/model", target)
    tools.done("podman", "push", "--tls-verify=false", target)
    (seen,) = registry.pushes.seen
    assert seen.labels["run.cog.openapi_schema"] == '{"openapi":"3.0.2"}'
    first = tools.done("podman", "image", "inspect", "-f", "{{.Id}}", target)
    for name in (target, f"{target}@{seen.digest}"):
        tools.done("podman", "rmi", "--all", "--force")
        tools.done("podman", "pull", "--tls-verify=false", name)
        assert tools.done("podman", "image", "inspect", "-f", "{{.Id}}", name) == first


def test_buildah_pushes_an_index_and_umoci_unpacks_it(
    registry: Running, tools: Tools, tmp_path: Path
) -> None:
    """Both architectures under one tag; the version is the one for our hosts, and its file comes out whole."""
    for each in ("amd64", "arm64"):
        tools.build(f"localhost/model-{each}", f"print('{each}')\n", architecture=each)
    tools.done("buildah", "manifest", "create", "both", "localhost/model-amd64", "localhost/model-arm64")
    target = f"docker://{registry.host}/alice/both:v1"
    plain = ("--tls-verify=false", "--creds", "alice:cyd_alice")
    tools.done("buildah", "manifest", "push", "--all", *plain, "both", target)
    last = registry.pushes.seen[-1]
    assert (last.platform, last.tag, last.index is not None) == ("linux/amd64", "v1", True)
    if shutil.which("skopeo") is None or shutil.which("umoci") is None:
        pytest.skip("skopeo or umoci is not installed: the image is not unpacked")
    options = ("--src-tls-verify=false", "--src-creds=alice:cyd_alice", "--override-arch=arm64")
    layout = tmp_path / "layout"
    copied = subprocess.run(
        ["skopeo", *options[2:], "copy", *options[:2], target, f"oci:{layout}:v1"],
        capture_output=True,
        check=False,
    )
    assert copied.returncode == 0, copied.stderr
    subprocess.run(
        ["umoci", "unpack", "--image", f"{layout}:v1", str(tmp_path / "bundle")],
        capture_output=True,
        check=True,
    )
    assert (tmp_path / "bundle" / "rootfs" / "src" / "predict.py").read_text() == "print('arm64')\n"


def test_refusals_reach_the_person(registry: Running, tools: Tools) -> None:
    """Somebody else's name, no credentials, a wrong password: the registry's words, and no push told of."""
    tools.build("localhost/model")
    push = ("push", "--tls-verify=false")
    denied = tools(
        "podman", *push, "--creds", "bob:cyd_bob", "localhost/model", f"{registry.host}/alice/model"
    )
    assert (denied.returncode != 0, "alice" in denied.stderr) == (True, True)
    for creds in ((), ("--creds", "alice:wrong")):
        ended = tools("podman", *push, *creds, "localhost/model", f"{registry.host}/alice/model")
        assert ended.returncode != 0
        assert "unauthorized" in ended.stderr.lower() or "authentication required" in ended.stderr.lower()
    assert registry.pushes.seen == []


def test_buildah_builds_on_what_was_pushed(registry: Running, tools: Tools) -> None:
    """A base from our registry, one layer more: the base's layer is not sent again."""
    plain = ("--tls-verify=false", "--creds", "alice:cyd_alice")
    tools.build("localhost/base")
    tools.done("buildah", "push", *plain, "localhost/base", f"docker://{registry.host}/alice/base")
    base = registry.pushes.seen[-1]
    tools.done("podman", "rmi", "--all", "--force")
    container = tools.done("buildah", "from", *plain, f"{registry.host}/alice/base")
    (tools.folder / "more").write_text("more")
    tools.done("buildah", "copy", container, str(tools.folder / "more"), "/more")
    tools.done("buildah", "commit", "--rm", container, "localhost/more")
    tools.done("buildah", "push", *plain, "localhost/more", f"docker://{registry.host}/alice/more")
    layers = [each["digest"] for each in registry.pushes.seen[-1].manifest["layers"]]
    assert layers[0] == base.manifest["layers"][0]["digest"]
    assert len(set(layers)) == 2
