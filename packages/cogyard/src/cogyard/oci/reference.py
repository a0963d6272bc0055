"""An image's name, `[HOST[:PORT]/]path[:tag][@digest]`, by the rules of docker and registries."""

from __future__ import annotations

import re

import msgspec

from cogyard.oci import digest as digests
from cogyard.oci.errors import InvalidDigestError, InvalidReferenceError

DEFAULT_HOST = "docker.io"
#: The longest repository name, host included, that registries agree on.
MAX_NAME = 255
MAX_TAG = 128

_COMPONENT = re.compile(r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*\Z")
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}\Z")
_HOST = re.compile(
    r"(?:\[[0-9a-fA-F:.]{2,45}\]|[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
    r"(?:\.[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?)*)(?::([0-9]{1,5}))?\Z"
)


def check_repository(name: str) -> str:
    """Return `name` when it may name a repository (without a host).

    Raises InvalidReferenceError.
    """
    if not name or len(name) > MAX_NAME:
        raise InvalidReferenceError(
            f"the repository name has {len(name)} characters; it needs 1 to {MAX_NAME}",
        )
    for component in name.split("/"):
        if not _COMPONENT.match(component):
            raise InvalidReferenceError(_component_problem(component, name), hint=_component_hint(name))
    return name


def check_tag(tag: str) -> str:
    """Return `tag` when it may name a tag.

    Raises InvalidReferenceError.
    """
    if not _TAG.match(tag):
        raise InvalidReferenceError(
            f"{_short(tag)!r} is not a tag: 1 to {MAX_TAG} of letters, digits, '_', '.' and '-', "
            "not beginning with '.' or '-'"
        )
    return tag


def is_host(text: str) -> bool:
    """Whether `text` can stand where a registry's `HOST[:PORT]` stands."""
    match = _HOST.match(text)
    if match is None or len(text) > MAX_NAME:
        return False
    return match[1] is None or 0 < int(match[1]) <= 65535


class Reference(msgspec.Struct, frozen=True, kw_only=True):
    """Where an image is: `host` (with its port), `repository`, and a tag, a digest, or both."""

    host: str
    repository: str
    tag: str | None = None
    digest: str | None = None

    @classmethod
    def parse(cls, text: str) -> Reference:
        """Read a name as docker reads it: no host means docker.io, no tag and no digest means `latest`.

        Raises InvalidReferenceError saying which part is wrong and why.
        """
        if not text or len(text) > MAX_NAME + MAX_TAG + 80:
            raise InvalidReferenceError(f"an image name has 1 to {MAX_NAME} characters, this has {len(text)}")
        if "://" in text:
            raise InvalidReferenceError(
                f"{_short(text)!r} is an address; an image name has no scheme",
                hint=f"Leave out {text.split('://', 1)[0] + '://'!r}.",
            )
        rest, at, digest = text.partition("@")
        if at:
            try:
                digests.parse(digest)
            except InvalidDigestError as error:
                raise InvalidReferenceError(error.message) from None
        first, slash, remainder = rest.partition("/")
        named = bool(slash) and (
            "." in first or ":" in first or first == "localhost" or first.startswith("[")
        )
        host, path = (first, remainder) if named else (DEFAULT_HOST, rest)
        if not is_host(host):
            raise InvalidReferenceError(f"{_short(host)!r} is not a registry's HOST or HOST:PORT")
        repository, colon, tag = path.partition(":")
        if colon:
            check_tag(tag)
        if host in {"index.docker.io", "registry-1.docker.io"}:
            host = DEFAULT_HOST
        check_repository(repository)  # as it was typed, for the message
        if host == DEFAULT_HOST and "/" not in repository:
            repository = f"library/{repository}"
        if len(host) + 1 + len(repository) > MAX_NAME:
            length = len(host) + 1 + len(repository)
            raise InvalidReferenceError(f"the image name has {length} characters, the limit is {MAX_NAME}")
        return cls(
            host=host.lower(),
            repository=repository,
            tag=tag if colon else (None if at else "latest"),
            digest=digest if at else None,
        )

    @property
    def name(self) -> str:
        """`HOST/repository`, without tag and digest."""
        return f"{self.host}/{self.repository}"

    @property
    def familiar(self) -> str:
        """The name as docker shows it: without docker.io and library/."""
        name = self.repository if self.host == DEFAULT_HOST else self.name
        if self.host == DEFAULT_HOST:
            name = name.removeprefix("library/")
        return name + self._suffix

    @property
    def target(self) -> str:
        """What to ask a registry's manifests endpoint for: the digest when there is one, else the tag."""
        return self.digest or self.tag or "latest"

    def with_digest(self, digest: str) -> Reference:
        """Return the same repository at one exact manifest."""
        return msgspec.structs.replace(self, tag=None, digest=digests.parse(digest))

    def with_tag(self, tag: str) -> Reference:
        """Return the same repository at a tag."""
        return msgspec.structs.replace(self, tag=check_tag(tag), digest=None)

    @property
    def _suffix(self) -> str:
        return (f":{self.tag}" if self.tag else "") + (f"@{self.digest}" if self.digest else "")

    def __str__(self) -> str:
        return self.name + self._suffix


def _component_problem(component: str, name: str) -> str:
    shown = _short(name)
    if component in {"", ".", ".."}:
        return f"{shown!r} has an empty or relative part between slashes"
    if component != component.lower():
        return f"{shown!r} has capital letters; registries allow lower case only"
    return (
        f"{_short(component)!r} in {shown!r} is not a name: "
        "lower-case letters and digits, joined by '.', '_' or '-'"
    )


def _component_hint(name: str) -> str | None:
    meant = name.lower()
    fits = name != meant and all(_COMPONENT.fullmatch(each) for each in meant.split("/"))
    return f"Did you mean {_short(meant)!r}?" if fits else None


def _short(text: str) -> str:
    return text if len(text) <= 80 else text[:80] + "…"
