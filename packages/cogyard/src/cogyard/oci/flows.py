"""The distribution protocol's conversations: what to ask, and what each answer means. No sockets here."""

from __future__ import annotations

import re
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
from cogyard.oci.joined import Joined
from cogyard.oci.manifest import MAX_MANIFEST, Index, decode
from cogyard.oci.pending import Pending, PendingInMemory, Place

ACCEPT = f"{media.INDEX}, {media.MANIFEST}, {media.DOCKER_INDEX}, {media.DOCKER_MANIFEST}"

_HELD = re.compile(r"(?:bytes=)?0-([0-9]{1,15})")

#: How a blob came to be in the repository.
PRESENT, MOUNTED, UPLOADED = "present", "mounted", "uploaded"


def ping() -> Flow[Answer]:
    """Ask whether this is a registry that lets us in."""
    answer = yield Call(method="GET", url="/v2/", what="the registry")
    return answer


def probe(repository: str) -> Flow[Place]:
    """Ask whether we may push, before anything is built or sent: begin an upload, which `take_back` is to be given.

    A question that only reads would not tell: whoever may see a repository need not be allowed to write to it.
    """
    begun = yield Call(method="POST", url=f"/v2/{repository}/blobs/uploads/", what=repository)
    if begun.status != 202 or "location" not in begun.headers:
        raise NotARegistryError(f"the registry answered {begun.status} without a place to send blobs to")
    return Place(location=begun.headers["location"])


def take_back(repository: str, place: Place) -> Flow[None]:
    """End an upload that nothing was sent to. One that the registry does not let us take back expires by itself."""
    yield Call(method="DELETE", url=place.location, what=repository, refusals=True)


def push_blob(
    repository: str,
    blob: Descriptor,
    content: Path | Joined | bytes,
    sources: Sequence[str] = (),
    pending: Pending | None = None,
    *,
    ask: bool = True,
) -> Flow[str]:
    """Have a blob in a repository: found, mounted from one of `sources`, or sent.

    Without `ask` it is not looked for first: a small one is sent in the time that a question takes. It is sent in one
    piece, or in as few as the registry takes. `pending` remembers an upload that breaks off; called with it again, the
    upload goes on where the registry says it is.
    """
    memory = pending or PendingInMemory()
    if ask:
        head = yield Call(
            method="HEAD", url=f"/v2/{repository}/blobs/{blob.digest}", what=repository, refusals=True
        )
        if head.status == 200:
            memory.forget()
            return PRESENT
    if (place := memory.find()) is not None:
        if (yield from _go_on(repository, blob, content, place, memory)):
            return UPLOADED
        memory.forget()
    # Any other answer than 404 is asked about again by POST: an answer to HEAD has no words in it.
    begun = yield from _begin(repository, blob, sources)
    if begun is None:
        return MOUNTED
    memory.keep(begun)
    yield from _send(repository, blob, content, begun, memory, offset=0, refusals=False)
    memory.forget()
    return UPLOADED


def _begin(repository: str, blob: Descriptor, sources: Sequence[str]) -> Flow[Place | None]:
    """Mount the blob (None), or open an upload for it."""
    start, begun = f"/v2/{repository}/blobs/uploads/", None
    for source in sources:
        query = f"?mount={quote(blob.digest, safe='')}&from={quote(source, safe='')}"
        answer = yield Call(method="POST", url=start + query, what=repository, refusals=True)
        if answer.status == 201:
            return None
        if answer.status == 202:
            begun = answer  # not mounted, but an upload has begun
            break
        # A refusal here speaks of the source, which we may not see: send the bytes.
    if begun is None:
        begun = yield Call(method="POST", url=start, what=repository)
    if begun.status != 202 or "location" not in begun.headers:
        raise NotARegistryError(
            f"the registry answered {begun.status} without a place to send {blob.digest} to"
        )
    largest = begun.headers.get("oci-chunk-max-length", "")
    limit = int(largest) if largest.isascii() and largest.isdigit() and len(largest) < 16 else 0
    return Place(location=begun.headers["location"], largest=limit or None)


def _go_on(
    repository: str, blob: Descriptor, content: Path | Joined | bytes, place: Place, memory: Pending
) -> Flow[bool]:
    """Send what an open upload lacks; False when there is no such upload, or what it holds is something else."""
    refused_at = -1
    while True:
        status = yield Call(method="GET", url=place.location, what=repository, refusals=True)
        held = _HELD.fullmatch(status.headers.get("range", ""))
        if status.status not in {200, 204} or held is None:
            return False
        offset = int(held[1]) + 1 if held[1] != "0" else 0  # `0-0` is said of an empty upload
        if not refused_at < offset <= blob.size:
            return False
        place = Place(location=status.headers.get("location", place.location), largest=place.largest)
        if (yield from _send(repository, blob, content, place, memory, offset=offset, refusals=True)):
            return True
        # What the connection that broke had brought may have been written only after it was asked how far it is.
        refused_at = offset


def _send(
    repository: str,
    blob: Descriptor,
    content: Path | Joined | bytes,
    place: Place,
    memory: Pending,
    *,
    offset: int,
    refusals: bool,
) -> Flow[bool]:
    """Send a blob from `offset` on and end the upload; False when it is refused, where `refusals` says to look."""
    location = place.location
    while place.largest is not None and blob.size - offset > place.largest:
        stop = offset + place.largest
        done = yield _piece("PATCH", location, content, (offset, stop), what=repository, refusals=refusals)
        if done.status != 202 or "location" not in done.headers:
            if done.status >= 400:
                return False
            raise NotARegistryError(f"the registry answered {done.status} to a piece of {blob.digest}")
        location, offset = done.headers["location"], stop
        memory.keep(Place(location=location, largest=place.largest))
    joiner = "&" if "?" in location else "?"
    url = f"{location}{joiner}digest={quote(blob.digest, safe='')}"
    done = yield _piece("PUT", url, content, (offset, blob.size), what=repository, refusals=refusals)
    if done.status >= 400:
        return False
    if done.status not in {201, 204}:
        raise NotARegistryError(f"the registry answered {done.status} to the upload of {blob.digest}")
    memory.forget()
    return True


def _piece(
    method: str, url: str, content: Path | Joined | bytes, span: tuple[int, int], *, what: str, refusals: bool
) -> Call:
    start, stop = span
    headers = {"Content-Type": "application/octet-stream", "Content-Length": str(stop - start)}
    if (start or method == "PATCH") and stop > start:
        headers["Content-Range"] = f"{start}-{stop - 1}"
    part = content[start:stop] if isinstance(content, bytes) else content
    return Call(
        method=method,
        url=url,
        headers=headers,
        body=part,
        start=start,
        stop=stop,
        what=what,
        refusals=refusals,
    )


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


def push_referrer(repository: str, digest: str, data: bytes, media_type: str) -> Flow[bool]:
    """Put a manifest that is about another one; return whether the registry lists it as such."""
    answer = yield Call(
        method="PUT",
        url=f"/v2/{repository}/manifests/{digest}",
        headers={"Content-Type": media_type},
        body=data,
        what=f"{repository}@{digest}",
    )
    if answer.status not in {200, 201}:
        raise RegistryFailedError(f"the registry answered {answer.status} to the manifest {digest}")
    return "oci-subject" in answer.headers


def referrers(repository: str, digest: str) -> Flow[list[Descriptor] | None]:
    """Ask which manifests are about another one; None from a registry that does not list them."""
    answer = yield Call(
        method="GET",
        url=f"/v2/{repository}/referrers/{digest}",
        headers={"Accept": media.INDEX},
        what=repository,
        refusals=True,
    )
    kind = answer.headers.get("content-type", "").partition(";")[0].strip()
    if answer.status != 200 or kind != media.INDEX:
        return None
    return decode(answer.body, Index, what=f"the referrers of {digest}").manifests


def manifest_there(repository: str, digest: str) -> Flow[bool]:
    """Ask whether a repository has a manifest."""
    url = f"/v2/{repository}/manifests/{digest}"
    answer = yield Call(method="HEAD", url=url, headers={"Accept": ACCEPT}, what=repository, refusals=True)
    return answer.status == 200


def blob_there(repository: str, digest: str) -> Flow[bool]:
    """Ask whether a repository has a blob."""
    answer = yield Call(method="HEAD", url=f"/v2/{repository}/blobs/{digest}", what=repository, refusals=True)
    return answer.status == 200


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
