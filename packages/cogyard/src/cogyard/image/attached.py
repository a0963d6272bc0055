"""Fetch what is attached to an image of a registry: its contents, its provenance."""

from __future__ import annotations

from functools import partial

from cogyard.image.attest import IN_TOTO, SPDX
from cogyard.oci import flows
from cogyard.oci.authorization import Scope
from cogyard.oci.client import RegistryClient
from cogyard.oci.descriptor import Descriptor
from cogyard.oci.errors import InvalidDocumentError, RegistryNotFoundError
from cogyard.oci.layout import ImageStore
from cogyard.oci.manifest import MAX_MANIFEST, Index, Manifest, decode, decode_any
from cogyard.oci.reference import Reference

#: Of each kind there is one; a registry that lists more lists somebody else's, and the first few are looked at.
_MOST = 4
#: An SPDX document has some 300 bytes a package.
MAX_DOCUMENT = 64 << 20


async def pull_attached(client: RegistryClient, store: ImageStore, source: Reference, subject: str) -> None:
    """Keep the contents and the provenance that a registry lists for an image, attached to it as at its build.

    What is attached to it here stays as it is.
    Raises RegistryError, InvalidDocumentError, and the store's errors.
    """
    if store.referrers(subject):
        return
    found = []
    for entry in await _listed(client, source, subject):
        manifest = await _manifest(client, source, entry, subject)
        if manifest is not None:
            for blob in {each.digest: each for each in [manifest.config, *manifest.layers]}.values():
                await client.pull_blob(source.repository, blob, store)
            found.append(manifest)
    if found:
        store.attach(subject, found)


async def attached_document(
    client: RegistryClient, source: Reference, subject: str, kind: str
) -> bytes | None:
    """Return the document of a kind that a registry lists for an image; None when it lists none.

    Raises RegistryError, InvalidDocumentError.
    """
    for entry in await _listed(client, source, subject):
        manifest = await _manifest(client, source, entry, subject)
        if manifest is not None and manifest.artifact_type == kind and manifest.layers:
            if manifest.size > MAX_MANIFEST:
                raise InvalidDocumentError(
                    f"the document attached to {source.familiar} has {manifest.size} bytes",
                    hint=f"It is not read from here: `cog pull {source.familiar}` fetches it.",
                )
            flow = partial(flows.pull_small, source.repository, manifest.layers[0])
            return await client.run(flow, Scope(repository=source.repository))
    return None


async def _listed(client: RegistryClient, source: Reference, subject: str) -> list[Descriptor]:
    scope = Scope(repository=source.repository)
    listed = await client.run(partial(flows.referrers, source.repository, subject), scope)
    if listed is None:
        try:
            tag = subject.replace(":", "-")
            data, kind = await client.run(partial(flows.pull_manifest, source.repository, tag), scope)
        except RegistryNotFoundError:
            return []
        document = decode_any(data, kind, what=f"the referrers of {subject}")
        listed = document.manifests if isinstance(document, Index) else []
    return [
        each
        for kind in (SPDX, IN_TOTO)
        for each in [one for one in listed if one.artifact_type == kind][:_MOST]
        if each.size <= MAX_MANIFEST
    ]


async def _manifest(
    client: RegistryClient, source: Reference, entry: Descriptor, subject: str
) -> Manifest | None:
    """Return a manifest that is about the image, and small; None for any other."""
    flow = partial(flows.pull_manifest, source.repository, entry.digest)
    data, _ = await client.run(flow, Scope(repository=source.repository))
    manifest = decode(data, Manifest, what=f"the manifest {entry.digest}")
    about = manifest.subject is not None and manifest.subject.digest == subject
    if not about or manifest.size > MAX_DOCUMENT:
        return None
    return manifest
