"""System packages on a base of Ubuntu: its own apt fetches them, from its own archive, by its own keys."""

from __future__ import annotations

import gzip
import io
import json
import re
import shutil
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pysequoia
import pytest
from cogyard.engine import Client
from cogyard.engine.errors import BuildFailedError
from cogyard.image.archive import write_archive
from cogyard.image.build import BuiltImage, build
from cogyard.image.platforms import local_platform
from cogyard.image.steps.engine import Means
from cogyard.oci.config import ImageConfig, RootFs, RunConfig
from cogyard.oci.descriptor import CONFIG, LAYER_GZIP, MANIFEST, Descriptor
from cogyard.oci.digest import of
from cogyard.oci.manifest import Manifest, describe, encode
from cogyard.oci.plain import open_plain
from cogyard.oci.reference import Reference
from cogyard.project import load_project

from tests.docker import Docker
from tests.integration.image.conftest import CONFIG as PROJECT
from tests.integration.image.conftest import PREDICT, Built
from tests.integration.image.test_step_engines import Engines, engines
from tests.integration.image.ubuntu import Offered, make_archive, serving

__all__ = ["engines"]
pytestmark = [
    pytest.mark.docker,
    pytest.mark.network,
    pytest.mark.slow,
    pytest.mark.timeout(600),
    pytest.mark.xdist_group("docker"),
]
WITH_TOOL = PROJECT.replace("  python_packages", "  system_packages: [tool]\n  python_packages")
PACKAGES = [
    Offered(name="tool", version="1.0-1", script="exit 3", depends="helper"),
    Offered(
        name="tool", version="1.0-1ubuntu0.1", script="exec helper", depends="helper", pocket="noble-updates"
    ),
    Offered(name="helper", version="2.4", script="echo from noble", component="universe"),
    Offered(name="tini", version="0.19.0-1", script='shift; exec "$@"', component="universe"),
]
PATH = "PATH=/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin"
KINDS = {"base", "system"}
OS_RELEASE = 'NAME="Ubuntu"\nVERSION_ID="24.04"\nVERSION_CODENAME=noble\nID=ubuntu\nID_LIKE=debian\n'


@pytest.fixture
def key() -> pysequoia.Tsk:
    """Give the key that signs the archive."""
    return pysequoia.Tsk.generate("Ubuntu Archive Automatic Signing Key (tests)")


@pytest.fixture
def archive(tmp_path: Path, key: pysequoia.Tsk) -> Iterator[str]:
    """Serve the archive; give its address."""
    if shutil.which("dpkg-deb") is None:
        pytest.skip("dpkg-deb is not installed")
    folder = tmp_path / "ubuntu"
    make_archive(folder, key, PACKAGES, architecture=local_platform().partition("/")[2])
    with serving(folder) as url:
        yield url


def make_base(built: Built, means: Means, folder: Path, url: str, trusted: pysequoia.Cert) -> Path:
    """Save an image that is Ubuntu's as far as apt and we can tell: Debian's programs, with apt, under its name."""
    config = PROJECT.replace("  python_packages", "  system_packages: [apt]\n  python_packages")
    (folder / "cog.yaml").write_text(config)
    (folder / "predict.py").write_text(PREDICT)
    image = build(load_project(folder), base="assemble", tag="with-apt", means=means)
    manifest = built.store.image(image.reference).manifest
    below = [
        each for each in manifest.layers if (each.annotations or {}).get("run.cog.layer", "base") in KINDS
    ]
    status, diff_ids = "", []
    for each in below:
        with open_plain(built.store.path(each.digest)) as plain:
            data = plain.read()
        diff_ids.append(of(data))
        with tarfile.open(fileobj=io.BytesIO(data)) as layer:
            for member in layer:
                if member.name.removeprefix("./") == "var/lib/dpkg/status":
                    status = (layer.extractfile(member) or io.BytesIO()).read().decode()
    above = _tar(
        {
            "usr/bin/.wh.tini": "",
            "etc/apt/.wh..wh..opq": "",
            "var/lib/dpkg/status": re.sub(r"(?m)^Package: tini\n(?:.+\n)*\n?", "", status),
            "usr/lib/os-release": OS_RELEASE,
            "usr/share/keyrings/ubuntu-archive-keyring.asc": str(trusted),
            "etc/apt/sources.list.d/ubuntu.sources": (
                f"Types: deb\nURIs: {url}/\nSuites: noble noble-updates\n"
                "Components: main universe restricted multiverse\n"
                "Signed-By: /usr/share/keyrings/ubuntu-archive-keyring.asc\n"
            ),
        }
    )
    packed = gzip.compress(above, mtime=0)
    layers = [*below, Descriptor(media_type=LAYER_GZIP, digest=built.store.write(packed), size=len(packed))]
    data = encode(
        ImageConfig(
            architecture=local_platform().partition("/")[2], os="linux",
            rootfs=RootFs(diff_ids=[*diff_ids, of(above)]), config=RunConfig(env=[PATH]),
        )
    )  # fmt: skip
    own = Descriptor(media_type=CONFIG, digest=built.store.write(data), size=len(data))
    descriptor, data = describe(
        Manifest(schema_version=2, media_type=MANIFEST, config=own, layers=layers), MANIFEST
    )
    built.store.write(data)
    reference = Reference.parse("noble")
    built.store.tag(reference, descriptor)
    with (folder / "noble.tar").open("wb") as out:
        write_archive(built.store, built.store.image(reference), out)
    return folder / "noble.tar"


@pytest.fixture
def build_on(
    built: Built, engines: Engines, archive: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[[pysequoia.Cert], BuiltImage]:
    """Give what builds a project that wants a tool, on a base that trusts a key."""
    monkeypatch.setenv("COGYARD_CACHE_DIR", str(built.cache))
    monkeypatch.setenv("UV_PYTHON_DOWNLOADS", "never")
    engine = engines("older")
    means = Means(builder="docker", find=lambda _: engine)

    def build_it(trusted: pysequoia.Cert) -> BuiltImage:
        base = make_base(built, means, tmp_path, archive, trusted)
        (tmp_path / "cog.yaml").write_text(WITH_TOOL)
        return build(load_project(tmp_path), base=str(base), tag="on-noble", means=means)

    return build_it


def test_apt_installs_from_ubuntu_s_archive(
    built: Built, build_on: Callable[[pysequoia.Cert], BuiltImage], docker: Docker, key: pysequoia.Tsk
) -> None:
    """Updates and other components count, packages packed with zstd are read, and an init comes along."""
    image = build_on(key.extract_certificate())
    stored = built.store.image(image.reference)
    config = json.loads(built.store.read(stored.manifest.config.digest))["config"]
    assert config["Labels"]["run.cog.has_init"] == "true"
    assert config["Entrypoint"] == ["/usr/bin/tini", "--"]
    assert _run(docker, built, image, "tool") == "from noble"


def test_an_archive_by_another_key_is_refused(build_on: Callable[[pysequoia.Cert], BuiltImage]) -> None:
    """Apt's words say so, and there is no image."""
    other = pysequoia.Tsk.generate("somebody else").extract_certificate()
    with pytest.raises(BuildFailedError, match=r"NO_PUBKEY|not signed"):
        build_on(other)


def _run(docker: Docker, built: Built, image: BuiltImage, program: str) -> str:
    stored = built.store.image(image.reference)
    client = Client(name="docker", program=Path(shutil.which("docker") or ""))
    client.load(lambda out: write_archive(built.store, stored, out))
    try:
        done = docker("run", "--rm", "--network", "none", stored.name, program)
        assert done.returncode == 0, done.stderr
        return done.stdout.decode().strip()
    finally:
        docker("rmi", "--force", stored.name)


def _tar(files: dict[str, str]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for name, text in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(text.encode())
            archive.addfile(info, io.BytesIO(text.encode()))
    return out.getvalue()
