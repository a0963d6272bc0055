"""The distribution protocol's conversations: what to ask, and what each answer means. No sockets here."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from urllib.parse import quote

from cogyard.oci import descriptor as media
from cogyard.oci import digest as digests
from cogyard.oci.descriptor import Descriptor
from cogyard.oci.errors import (
    DigestMismatchError,
    NotARegistryError,
    RegistryFailedError,
)
from cogyard.oci.exchange import Answer, Call, Flow
from cogyard.oci.manifest import MAX_MANIFEST

ACCEPT = f"{media.INDEX}, {media.MANIFEST}, {media.DOCKER_INDEX}, {media.DOCKER_MANIFEST}"

#: How a blob came to be in the repository.
PRESENT, MOUNTED, UPLOADED = "present", "mounted", "uploaded"


def ping() -> Flow[Answer]:
    """Ask whether this is a registry that lets us in."""
    answer = yield Call(method="GET", url="/v2/", what="the registry")
    return answer


def probe(repository: str) -> Flow[None]:
    """Ask whether we may push, before anything is built or sent: begin an upload and take it back.

    A question that only reads would not tell: whoever may see a repository need not be allowed to write to it.
    """
    begun = yield Call(method="POST", url=f"/v2/{repository}/blobs/uploads/", what=repository)
    if begun.status != 202 or "location" not in begun.headers:
        raise NotARegistryError(f"the registry answered {begun.status} without a place to send blobs to")
    # An upload that the registry does not let us take back expires by itself.
    yield Call(method="DELETE", url=begun.headers["location"], what=repository, refusals=True)


def push_blob(
    repository: str, blob: Descriptor, content: Path | bytes, sources: Sequence[str] = ()
) -> Flow[str]:
    """Have a blob in a repository: found, mounted from one of `sources`, or sent in one piece."""
    what = repository
    head = yield Call(method="HEAD", url=f"/v2/{repository}/blobs/{blob.digest}", what=what, refusals=True)
    if head.status == 200:
        return PRESENT
    # Any other answer than 404 is asked about again by POST: an answer to HEAD has no words in it.
    start = f"/v2/{repository}/blobs/uploads/"
    begun = None
    for source in sources:
        query = f"?mount={quote(blob.digest, safe='')}&from={quote(source, safe='')}"
        answer = yield Call(method="POST", url=start + query, what=what, refusals=True)
        if answer.status == 201:
            return MOUNTED
        if answer.status == 202:
            begun = answer  # not mounted, but an upload has begun
            break
        # A refusal here speaks of the source, which we may not see: send the bytes.
    if begun is None:
        begun = yield Call(method="POST", url=start, what=what)
    if begun.status != 202 or "location" not in begun.headers:
        raise NotARegistryError(
            f"the registry answered {begun.status} without a place to send {blob.digest} to"
        )
    location = begun.headers["location"]
    joiner = "&" if "?" in location else "?"
    done = yield Call(
        method="PUT",
        url=f"{location}{joiner}digest={quote(blob.digest, safe='')}",
        headers={"Content-Type": "application/octet-stream", "Content-Length": str(blob.size)},
        body=content,
        what=what,
    )
    if done.status not in {201, 204}:
        raise NotARegistryError(f"the registry answered {done.status} to the upload of {blob.digest}")
    return UPLOADED


def push_manifest(repository: str, target: str, data: bytes, media_type: str) -> Flow[str]:
    """Put a manifest under a tag or a digest; return its digest."""
    answer = yield Call(
        method="PUT",
        url=f"/v2/{repository}/manifests/{target}",
        headers={"Content-Type": media_type},
        body=data,
        what=f"{repository}:{target}",
    )
    digest = digests.of(data)
    said = answer.headers.get("docker-content-digest", digest)
    if answer.status not in {200, 201} or said != digest:
        raise RegistryFailedError(f"the registry took the manifest as {said[:80]}, but it is {digest}")
    return digest


def pull_manifest(repository: str, target: str) -> Flow[tuple[bytes, str]]:
    """Get a manifest or an index by tag or digest: its bytes, checked, and its media type."""
    what = f"{repository}:{target}" if not target.startswith("sha256:") else f"{repository}@{target}"
    answer = yield Call(
        method="GET", url=f"/v2/{repository}/manifests/{target}", headers={"Accept": ACCEPT}, what=what
    )
    if len(answer.body) > MAX_MANIFEST:
        raise RegistryFailedError(f"the manifest of {what} has more than {MAX_MANIFEST} bytes")
    if target.startswith("sha256:") and digests.of(answer.body) != target:
        raise DigestMismatchError(f"the registry sent {digests.of(answer.body)} where {target} was asked for")
    media_type = answer.headers.get("content-type", "").partition(";")[0].strip()
    return answer.body, media_type


def pull_small(repository: str, blob: Descriptor) -> Flow[bytes]:
    """Get a blob that is a document: its bytes, checked."""
    answer = yield Call(method="GET", url=f"/v2/{repository}/blobs/{blob.digest}", what=repository)
    if digests.of(answer.body) != blob.digest:
        raise DigestMismatchError(
            f"the registry sent {digests.of(answer.body)} where {blob.digest} was asked for"
        )
    return answer.body
