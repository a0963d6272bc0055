"""What is said about an image beside it: its contents as SPDX, and what it was built from as SLSA provenance. Pure.

Both are OCI artifacts whose manifest names the image as its `subject` (distribution 1.1), so registries list them as
its referrers, where scanners and policy engines look.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec

from cogyard.image.wheels.selected import Selected
from cogyard.oci.descriptor import MANIFEST, Descriptor
from cogyard.oci.manifest import Manifest

SPDX = "application/spdx+json"
IN_TOTO = "application/vnd.in-toto+json"
EMPTY = "application/vnd.oci.empty.v1+json"
#: The configuration of an artifact that has none (OCI image specification 1.1).
EMPTY_CONFIG = b"{}"
#: What kind of build the provenance tells of; docs/reference/image.md says what its parameters are.
BUILD_TYPE = "urn:cogyard:build:1"

_FIELD = re.compile(r"^(Package|Status|Architecture|Version): (.+)$", re.MULTILINE)
_NOT_ID = re.compile(r"[^A-Za-z0-9.-]+")


class Contents(msgspec.Struct, frozen=True, kw_only=True):
    """What an image holds. `status` is dpkg's list; `environments` are Python packages by the folder they are in."""

    name: str
    platform: str
    release: str | None
    status: str
    environments: Mapping[str, Sequence[Selected]]
    own: Mapping[str, str]
    """Versions of our own packages by name."""
    distribution: str = "debian"
    """Whose packages dpkg's list names."""


def spdx(contents: Contents, image: Descriptor, *, epoch: int) -> bytes:
    """Return the SPDX 2.3 document of an image: every package of Debian and of Python, under the names scanners use."""
    packages = [_image(contents, image), *_debian(contents), *_python(contents)]
    relations = [_related("SPDXRef-DOCUMENT", "DESCRIBES", packages[0])]
    relations += [_related(packages[0]["SPDXID"], "CONTAINS", each) for each in packages[1:]]
    return msgspec.json.encode(
        {
            "spdxVersion": "SPDX-2.3",
            "dataLicense": "CC0-1.0",
            "SPDXID": "SPDXRef-DOCUMENT",
            "name": contents.name,
            "documentNamespace": f"urn:cogyard:spdx:{image.digest.removeprefix('sha256:')}",
            "creationInfo": {
                "created": _time(epoch),
                "creators": [f"Tool: cogyard-{contents.own['cogyard']}"],
            },
            "packages": packages,
            "relationships": relations,
        }
    )


def provenance(
    image: Descriptor,
    *,
    name: str,
    parameters: Mapping[str, Any],
    dependencies: Iterable[tuple[str, str]],
    version: str,
) -> bytes:
    """Return the in-toto statement of how an image was built.

    `dependencies` are addresses and digests of what went in.
    """
    resolved = [{"uri": uri, "digest": _digest(digest)} for uri, digest in dependencies]
    return msgspec.json.encode(
        {
            "_type": "https://in-toto.io/Statement/v1",
            "subject": [{"name": name, "digest": _digest(image.digest)}],
            "predicateType": "https://slsa.dev/provenance/v1",
            "predicate": {
                "buildDefinition": {
                    "buildType": BUILD_TYPE,
                    "externalParameters": parameters,
                    "internalParameters": {},
                    "resolvedDependencies": resolved,
                },
                "runDetails": {
                    # A build on somebody's own machine vouches for nothing but what it did.
                    "builder": {"id": "urn:cogyard:builder:local", "version": {"cogyard": version}},
                    "metadata": {},
                },
            },
        }
    )


def artifact(kind: str, document: bytes, image: Descriptor, title: str) -> Manifest:
    """Return the manifest that attaches a document to an image."""
    blob = Descriptor(
        media_type=kind, digest=_sha256(document), size=len(document),
        annotations={"org.opencontainers.image.title": title},
    )  # fmt: skip
    config = Descriptor(media_type=EMPTY, digest=_sha256(EMPTY_CONFIG), size=len(EMPTY_CONFIG))
    subject = Descriptor(media_type=image.media_type, digest=image.digest, size=image.size)
    return Manifest(
        schema_version=2,
        media_type=MANIFEST,
        artifact_type=kind,
        config=config,
        layers=[blob],
        subject=subject,
    )


def _related(element: str, how: str, package: Mapping[str, Any]) -> dict[str, str]:
    return {"spdxElementId": element, "relationshipType": how, "relatedSpdxElement": package["SPDXID"]}


def _image(contents: Contents, image: Descriptor) -> dict[str, Any]:
    return {
        "SPDXID": "SPDXRef-image",
        "name": contents.name,
        "versionInfo": image.digest,
        "downloadLocation": "NOASSERTION",
        "filesAnalyzed": False,
        "primaryPackagePurpose": "CONTAINER",
        "checksums": [{"algorithm": "SHA256", "checksumValue": image.digest.removeprefix("sha256:")}],
    }


def _debian(contents: Contents) -> list[dict[str, Any]]:
    found = []
    for stanza in contents.status.split("\n\n"):
        fields = dict(_FIELD.findall(stanza))
        if "Package" not in fields or not fields.get("Status", "").endswith(" installed"):
            continue
        name, version, arch = fields["Package"], fields.get("Version", ""), fields.get("Architecture", "all")
        release = f"&distro={contents.release}" if contents.release else ""
        purl = f"pkg:deb/{contents.distribution}/{_quoted(name)}@{_quoted(version)}?arch={arch}{release}"
        found.append(_package(f"deb-{name}-{arch}", name, version, purl))
    return sorted(found, key=lambda each: str(each["SPDXID"]))


def _python(contents: Contents) -> list[dict[str, Any]]:
    found = []
    for place, packages in contents.environments.items():
        for each in packages:
            version = each.version or ""
            purl = f"pkg:pypi/{_quoted(each.name)}" + (f"@{_quoted(version)}" if version else "")
            made = _package(f"pypi-{place}-{each.name}", each.name, version, purl)
            if each.sha256 is not None:
                made["checksums"] = [{"algorithm": "SHA256", "checksumValue": each.sha256}]
            if each.filename:
                made["packageFileName"] = each.filename
            found.append(made)
    for name, version in contents.own.items():
        found.append(_package(f"own-{name}", name, version, None))
    return found


def _package(identity: str, name: str, version: str, purl: str | None) -> dict[str, Any]:
    made: dict[str, Any] = {
        "SPDXID": f"SPDXRef-{_NOT_ID.sub('-', identity)}",
        "name": name,
        "versionInfo": version or "NOASSERTION",
        "downloadLocation": "NOASSERTION",
        "filesAnalyzed": False,
    }
    if purl is not None:
        reference = {
            "referenceCategory": "PACKAGE-MANAGER",
            "referenceType": "purl",
            "referenceLocator": purl,
        }
        made["externalRefs"] = [reference]
    return made


def _quoted(text: str) -> str:
    from urllib.parse import quote

    return quote(text, safe=".-_~")


def _digest(digest: str) -> dict[str, str]:
    algorithm, _, value = digest.partition(":")
    return {algorithm: value}


def _sha256(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def _time(epoch: int) -> str:
    return datetime.fromtimestamp(epoch, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
