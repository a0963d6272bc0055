"""The names in a request's path: all hostile until they have passed here."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum, auto

from cogyard.oci import digest as digests
from cogyard.oci.errors import InvalidDigestError, InvalidReferenceError
from cogyard.oci.reference import check_repository, check_tag
from cogyard.registry.errors import AddressUnknownError, DigestInvalidError, NameInvalidError, TagInvalidError


class Kind(Enum):
    """What a path is about."""

    BASE = auto()
    BLOB = auto()
    UPLOADS = auto()
    UPLOAD = auto()
    MANIFEST = auto()
    TAGS = auto()
    REFERRERS = auto()
    TOKEN = auto()
    TOKEN_URL = auto()
    VERIFY_TOKEN = auto()


@dataclass(frozen=True, slots=True)
class Target:
    """What a path names: a kind, and unchecked names."""

    kind: Kind
    name: str = ""
    reference: str = ""


_FIXED = {
    "/v2": Kind.BASE,
    "/v2/": Kind.BASE,
    "/registry/token": Kind.TOKEN,
    "/cog/v1/display-token-url": Kind.TOKEN_URL,
    "/cog/v1/verify-token": Kind.VERIFY_TOKEN,
}
# Read from the right: a repository's own name may have parts called blobs or manifests.
_PATTERNS = (
    (Kind.UPLOADS, re.compile(r"/v2/(.+)/blobs/uploads/?")),
    (Kind.UPLOAD, re.compile(r"/v2/(.+)/blobs/uploads/([^/]+)")),
    (Kind.BLOB, re.compile(r"/v2/(.+)/blobs/([^/]+)")),
    (Kind.MANIFEST, re.compile(r"/v2/(.+)/manifests/([^/]+)")),
    (Kind.TAGS, re.compile(r"/v2/(.+)/tags/list")),
    (Kind.REFERRERS, re.compile(r"/v2/(.+)/referrers/([^/]+)")),
)


def target_of(path: str) -> Target:
    """Return what a whole path names. Raises AddressUnknownError when it is none of ours."""
    if path in _FIXED:
        return Target(_FIXED[path])
    for kind, pattern in _PATTERNS:
        if match := pattern.fullmatch(path):
            return Target(kind, *match.groups())
    raise AddressUnknownError("There is nothing at this address.")


def repository_of(name: str) -> str:
    """Return `name` when it can be a repository of ours: `owner/name`. Raises NameInvalidError."""
    try:
        check_repository(name)
    except InvalidReferenceError as error:
        raise NameInvalidError(error.message, hint=error.hint) from error
    if name.count("/") != 1:
        raise NameInvalidError(
            f"{name!r} has {name.count('/') + 1} part(s); a repository here is called OWNER/NAME.",
            hint="Push to HOST/OWNER/NAME, where OWNER is your account.",
        )
    return name


def digest_of(text: str) -> str:
    """Return `text` when it is a digest. Raises DigestInvalidError."""
    try:
        return digests.parse(text)
    except InvalidDigestError as error:
        raise DigestInvalidError(error.message) from error


def reference_of(text: str) -> str:
    """Return a checked tag or digest; a digest is what has a colon. Raises TagInvalidError, DigestInvalidError."""
    if ":" in text:
        return digest_of(text)
    try:
        return check_tag(text)
    except InvalidReferenceError as error:
        raise TagInvalidError(error.message) from error
