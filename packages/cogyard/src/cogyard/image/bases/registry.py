"""A base from a registry."""

from __future__ import annotations

import asyncio
import os

from cogyard.image.bases.base import Base
from cogyard.image.bases.image import base_of
from cogyard.image.site import Site
from cogyard.oci.reference import Reference
from cogyard.oci.settings import connect, mirrored
from cogyard.oci.transfer import PulledImage, pull_image


def pull_base(reference: Reference, architecture: str, site: Site, *, python: str) -> Base:
    """Fetch a base; images of Docker Hub come from the mirror where one is set.

    Raises RegistryError, BaseError.
    """
    source = mirrored(reference, os.environ)

    async def pull() -> PulledImage:
        async with connect(source.host, os.environ) as client:
            return await pull_image(
                client,
                site.store,
                source,
                architecture,
                lambda moved: site.progress.detail(f"{source.familiar} {moved.descriptor.size / 1e6:.1f} MB"),
            )

    site.progress.detail(f"looking for {source.familiar}")
    pulled = asyncio.run(pull())
    return base_of(
        reference.familiar,
        pulled.manifest,
        pulled.config,
        site,
        python=python,
        digest=pulled.descriptor.digest,
    )
