"""A base that is an image already: from a registry, an OCI layout, or a tar."""

from __future__ import annotations

from cogyard.image.bases.base import DEFAULT_GLIBC, Base, BaseLayer
from cogyard.image.bases.facts import read_facts
from cogyard.image.errors import BaseError
from cogyard.image.site import Site
from cogyard.oci.config import ImageConfig, RunConfig
from cogyard.oci.manifest import Manifest


def base_of(
    name: str, manifest: Manifest, config: ImageConfig, site: Site, *, python: str, digest: str | None = None
) -> Base:
    """Return the base that an image of the store is.

    Raises BaseError when it lacks the Python, naming those it has.
    """
    facts = read_facts(((each, site.store.path(each.digest)) for each in manifest.layers), name)
    interpreter = facts.python(python)
    if interpreter is None:
        there = ", ".join(sorted(set(facts.pythons.values()))) or "none"
        raise BaseError(
            f"the base {name} has no Python {python}; it has {there}",
            hint="Change python_version in cog.yaml, or the base.",
        )
    made = [each.created_by or "" for each in config.history or [] if not each.empty_layer]
    made = made if len(made) == len(manifest.layers) else [""] * len(manifest.layers)
    return Base(
        name=name,
        architecture=config.architecture,
        layers=tuple(
            BaseLayer(descriptor=descriptor, diff_id=diff_id, created_by=by)
            for descriptor, diff_id, by in zip(manifest.layers, config.rootfs.diff_ids, made, strict=True)
        ),
        run=config.config or RunConfig(),
        python=interpreter,
        python_version=python,
        glibc=facts.glibc or DEFAULT_GLIBC,
        has_tini=facts.has_tini,
        codename=facts.codename,
        ubuntu=facts.ubuntu,
        status=facts.status,
        linker_cache=facts.linker_cache,
        sources=tuple(sorted(facts.sources.items())),
        digest=digest,
    )
