"""Attach to an image of the store what is said about it: its contents, and what it was built from."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence

from cogyard.environment import cache as kept
from cogyard.environment.installed import version
from cogyard.image.attest import EMPTY_CONFIG, IN_TOTO, SPDX, Contents, artifact, provenance, spdx
from cogyard.image.bases.base import Base
from cogyard.image.layers import MadeLayer
from cogyard.image.prepare import Order, Prepared
from cogyard.image.site import Site
from cogyard.image.steps.freeze import canonical
from cogyard.image.steps.installed import installed_by_steps
from cogyard.image.wheels.selected import Selected
from cogyard.oci.descriptor import Descriptor

_OWN = ("cogyard", "cogyard-sdk", "cogyard-model-server")


def attach(
    image: Descriptor,
    name: str,
    site: Site,
    *,
    order: Order,
    ready: Prepared,
    layers: Sequence[MadeLayer],
    epoch: int,
) -> None:
    """Write the SPDX document and the provenance of an image, and let the store know them as its referrers."""
    store = site.store
    own, ubuntu = {each: version(each) for each in _OWN}, ready.base.ubuntu
    contents = Contents(
        name=name,
        platform=order.platform,
        release=ready.base.release,
        distribution="ubuntu" if ubuntu else "debian",
        status=_status(ready.base, layers, site),
        environments={"model": _after(ready.model, installed_by_steps(layers, site)), "server": ready.server},
        own=own,
    )
    documents = {
        SPDX: ("sbom.spdx.json", spdx(contents, image, epoch=epoch)),
        IN_TOTO: ("provenance.json", provenance(
            image, name=name, parameters=_parameters(order, ready), dependencies=_dependencies(ready),
            version=own["cogyard"],
        )),
    }  # fmt: skip
    store.write(EMPTY_CONFIG)
    manifests = []
    for kind, (title, document) in documents.items():
        store.write(document)
        manifests.append(artifact(kind, document, image, title))
    store.attach(image.digest, manifests)


def _after(model: Sequence[Selected], changed: Mapping[str, str | None]) -> list[Selected]:
    """Return the model's packages as they are after the steps."""
    found = {canonical(each.name): each for each in model}
    for name, there in changed.items():
        if there is None:
            found.pop(name, None)
        elif name not in found or found[name].version != there:
            found[name] = Selected(
                name=name, version=there, filename="", sha256=None, size=None, url=None, path=None
            )
    return [found[name] for name in sorted(found)]


def _status(base: Base, layers: Sequence[MadeLayer], site: Site) -> str:
    """Return dpkg's list as the uppermost layer has it that changes packages; each is read once."""
    for layer in reversed(layers):
        if layer.kind not in {"system", "run"}:
            continue
        digest = layer.descriptor.digest
        path = site.cache / "status" / hashlib.sha256(digest.encode()).hexdigest()[:32]
        try:
            status = path.read_text("utf-8")
        except FileNotFoundError:
            # Debian's formats take a tenth of a second to import.
            from cogyard.image.bases.facts import read_facts

            facts = read_facts([(layer.descriptor, site.store.path(digest))], layer.title)
            status = facts.status or ""
            kept.write(path, status.encode())
        if status:
            return status
    return base.status or ""


def _parameters(order: Order, ready: Prepared) -> dict[str, object]:
    return {
        "config": order.project.config.completed(),
        "platform": order.platform,
        "base": ready.base.name,
        "builder": order.means.builder,
        "secrets": sorted(order.means.secrets),
    }


def _dependencies(ready: Prepared) -> list[tuple[str, str]]:
    found = _base(ready.base)
    every: list[Selected] = sorted({*ready.model, *ready.server}, key=lambda each: (each.name, each.filename))
    for each in every:
        if each.sha256 is not None:
            found.append((f"pkg:pypi/{each.name}@{each.version or ''}", f"sha256:{each.sha256}"))
    return found


def _base(base: Base) -> list[tuple[str, str]]:
    if base.digest is not None:
        return [(f"pkg:oci/{base.name.partition(':')[0].rpartition('/')[2]}", base.digest)]
    return [(f"layer:{base.name}", layer.descriptor.digest) for layer in base.layers]
