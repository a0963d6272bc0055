"""What is said about an image: its contents in SPDX, its origin in in-toto, both as artifacts about the image."""

from __future__ import annotations

import json
from typing import Any

import msgspec
from cogyard.image.attest import IN_TOTO, SPDX, Contents, artifact, provenance, spdx
from cogyard.image.wheels.selected import Selected
from cogyard.oci.descriptor import MANIFEST, Descriptor
from cogyard.oci.digest import of
from cogyard.oci.manifest import encode

IMAGE = Descriptor(media_type=MANIFEST, digest="sha256:" + "a" * 64, size=7)
NUMPY = Selected(
    name="numpy", version="2.2.6+cpu", filename="numpy.whl", sha256="b" * 64, size=1, url="u", path=None
)
STATUS = """Package: libc6
Status: install ok installed
Architecture: amd64
Version: 2.36-9+deb12u1
Description: first
 Package: not-one

Package: gone
Status: deinstall ok config-files
Architecture: amd64
Version: 1.0
"""
CONTENTS = Contents(
    name="cog-hello",
    platform="linux/amd64",
    release="bookworm",
    status=STATUS,
    environments={"model": [NUMPY], "server": [NUMPY]},
    own={"cogyard": "0.1.0"},
)


def document() -> dict[str, Any]:
    """Return the SPDX document of the test's image."""
    found: dict[str, Any] = json.loads(spdx(CONTENTS, IMAGE, epoch=0))
    return found


def test_every_package_is_named_as_scanners_do() -> None:
    """Packages of Debian that are installed, and those of both environments, by their package URLs and hashes."""
    packages = document()["packages"]
    addresses = [
        reference["referenceLocator"] for each in packages for reference in each.get("externalRefs", [])
    ]
    assert addresses == [
        "pkg:deb/debian/libc6@2.36-9%2Bdeb12u1?arch=amd64&distro=bookworm",
        "pkg:pypi/numpy@2.2.6%2Bcpu",
        "pkg:pypi/numpy@2.2.6%2Bcpu",
    ]
    wheel = next(each for each in packages if each["name"] == "numpy")
    assert wheel["checksums"] == [{"algorithm": "SHA256", "checksumValue": "b" * 64}]


def test_packages_of_ubuntu_are_ubuntu_s() -> None:
    """Scanners look an advisory up by the distribution and its release."""
    contents = msgspec.structs.replace(CONTENTS, release="noble", distribution="ubuntu")
    found = json.loads(spdx(contents, IMAGE, epoch=0))["packages"]
    addresses = [one["referenceLocator"] for each in found for one in each.get("externalRefs", [])]
    assert addresses[0] == "pkg:deb/ubuntu/libc6@2.36-9%2Bdeb12u1?arch=amd64&distro=noble"


def test_the_document_is_whole() -> None:
    """It has what SPDX 2.3 requires; every element has one id, and the image contains each of them."""
    found = document()
    assert {"spdxVersion", "dataLicense", "SPDXID", "name", "documentNamespace", "creationInfo"} <= set(found)
    ids = [each["SPDXID"] for each in found["packages"]]
    assert len(set(ids)) == len(ids)
    assert all(each["downloadLocation"] and each["versionInfo"] for each in found["packages"])
    related = {each["relatedSpdxElement"] for each in found["relationships"]}
    assert related == set(ids)
    assert found["creationInfo"]["created"] == "1970-01-01T00:00:00Z"


def test_the_origin_names_the_image_and_what_went_in() -> None:
    """An in-toto statement about the image's digest, with SLSA's fields and the hashes of the inputs."""
    data = provenance(
        IMAGE, name="cog-hello", parameters={"platform": "linux/amd64"},
        dependencies=[("pkg:pypi/numpy@1", "sha256:" + "b" * 64)], version="0.1.0",
    )  # fmt: skip
    found = json.loads(data)
    assert found["subject"] == [{"name": "cog-hello", "digest": {"sha256": "a" * 64}}]
    definition = found["predicate"]["buildDefinition"]
    assert definition["resolvedDependencies"] == [{"uri": "pkg:pypi/numpy@1", "digest": {"sha256": "b" * 64}}]
    assert found["predicate"]["runDetails"]["builder"]["id"]


def test_an_artifact_is_about_its_image() -> None:
    """The manifest has the kind, the empty configuration and the subject, as OCI 1.1 says; always the same bytes."""
    for kind in (SPDX, IN_TOTO):
        manifest = artifact(kind, b"text", IMAGE, "x.json")
        assert manifest.artifact_type == kind
        assert manifest.subject == IMAGE
        assert manifest.config.digest == of(b"{}")
        assert [layer.digest for layer in manifest.layers] == [of(b"text")]
        assert encode(manifest) == encode(artifact(kind, b"text", IMAGE, "x.json"))
