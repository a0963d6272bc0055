"""What the registry asks of others: where repositories are written down, who may do what, and who wants to know.

A repository is called `owner/name`, as its model. Digests and names given to these ports have been checked.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from cogyard.domain.values import Account


@dataclass(frozen=True, kw_only=True, slots=True)
class StoredManifest:
    """A manifest as it was pushed: its bytes, and what it names."""

    repository: str
    digest: str
    media_type: str
    content: bytes
    created_at: datetime
    artifact_type: str | None = None
    subject: str | None = None
    """The digest of the manifest that this one is about; it need not be there."""
    blobs: Mapping[str, int] = field(default_factory=dict)
    """Sizes of the blobs it cannot do without, by digest."""
    manifests: tuple[str, ...] = ()
    """Digests of the manifests it cannot do without."""


class LinkedBlobs(Protocol):
    """Which blobs a repository has. A blob is readable through a repository that has it, and in no other way."""

    async def link_blob(self, repository: str, digest: str, size: int, *, quota: int | None = None) -> None:
        """Write down that the repository has the blob; again is no error.

        Raises QuotaReachedError when with it the owner's repositories would hold more than `quota` bytes, the same
        blob counted once.
        """
        ...

    async def renew_blob(self, repository: str, digest: str) -> int | None:
        """Return the blob's size as `blob_size` does, and keep it for the one who asked: it is not unused now."""
        ...

    async def blob_size(self, repository: str, digest: str) -> int | None:
        """Return the blob's size, or None when this repository does not have it."""
        ...

    async def unlink_blob(self, repository: str, digest: str) -> bool:
        """Take the blob out of the repository; False when it was not in it. Raises StillUsedError."""
        ...


class Manifests(Protocol):
    """The manifests of a repository."""

    async def missing(self, manifest: StoredManifest) -> tuple[str, ...]:
        """Return which of `blobs` (with that size) and `manifests` the repository does not have."""
        ...

    async def put_manifest(self, manifest: StoredManifest, *, tag: str | None) -> tuple[str, ...]:
        """Write down a manifest and its tag in one step, unless it is `missing` something, which is returned.

        The same digest again changes nothing but the tag.
        """
        ...

    async def manifest(self, repository: str, reference: str) -> StoredManifest | None:
        """Return a manifest by digest (it has a colon) or by tag; `blobs` and `manifests` are not filled in."""
        ...

    async def indexes(self, repository: str, digest: str) -> Sequence[StoredManifest]:
        """Return the newest manifests, ten at most, that name the manifest `digest` among theirs, newest first."""
        ...

    async def delete_manifest(self, repository: str, digest: str) -> bool:
        """Delete a manifest with its tags; False when there is none. Raises StillUsedError."""
        ...


class Tags(Protocol):
    """The tags of a repository, and what is attached to its manifests."""

    async def tags(self, repository: str, *, limit: int, after: str | None) -> Sequence[str]:
        """Return up to `limit` tags after `after`, in lexical order that ignores case."""
        ...

    async def delete_tag(self, repository: str, tag: str) -> bool:
        """Delete a tag, not its manifest; False when there is none."""
        ...

    async def referrers(
        self, repository: str, subject: str, *, artifact_type: str | None, limit: int, after: str | None
    ) -> Sequence[StoredManifest]:
        """Return up to `limit` manifests about `subject` with digests after `after`, by digest."""
        ...

    async def has_manifests(self, repository: str) -> bool:
        """Whether anything has been pushed to the repository."""
        ...


class Usage(Protocol):
    """What repositories hold, and what of it is of no use any more."""

    async def held(self, owner: str) -> int:
        """Return the bytes that the owner's repositories hold, the same blob counted once."""
        ...

    async def unused(self, owner: str) -> int:
        """Return the bytes of what `held` counts that no manifest of the owner's needs."""
        ...

    async def unlink_unused(self, before: datetime, *, limit: int, owner: str | None = None) -> int:
        """Take up to `limit` blobs that no manifest of their repository needs out of it; return how many.

        Of every repository, or of one owner's. Only those that were last wanted before a time: a push that goes on has
        not stored its manifest yet.
        """
        ...

    async def drop_unused(self, artifact_type: str, before: datetime) -> int:
        """Delete manifests of a type that no index names, with their tags; return how many.

        Only those that were last pushed, by digest or under a tag, before a time.
        """
        ...

    async def linked(self, digests: Sequence[str]) -> frozenset[str]:
        """Return which of the blobs any repository has."""
        ...


class Repositories(LinkedBlobs, Manifests, Tags, Usage, Protocol):
    """All that is written down of repositories."""

    async def drop(self, repository: str) -> None:
        """Forget a repository wholly, because its model is deleted. Its blobs stay for other repositories."""
        ...


class QuotaReachedError(Exception):
    """The owner's repositories hold `held` bytes, and may hold `quota`."""

    def __init__(self, *, held: int, quota: int) -> None:
        super().__init__(f"{held} of {quota} bytes are in use")
        self.held = held
        self.quota = quota


class StillUsedError(Exception):
    """Something in the repository still needs what was to be deleted; `by` are the digests of what does."""

    def __init__(self, by: tuple[str, ...]) -> None:
        super().__init__(", ".join(by))
        self.by = by


@dataclass(frozen=True, slots=True)
class Known:
    """Whose credentials they are, and whether they reach as far as pushing."""

    account: Account
    pushes: bool = True


class Identity(Protocol):
    """Who someone is."""

    async def authenticate(self, username: str, password: str, *, client: str) -> Known | None:
        """Return whose they are: the account of a user name with its password or one of its API tokens as the password.

        `client` is the address it comes from, empty when unknown: who guesses passwords is told to come back later, by
        an error of status 429. API tokens are never braked.
        """
        ...

    async def by_token(self, token: str) -> Known | None:
        """Return whose API token it is."""
        ...

    async def account(self, account_id: int) -> Account | None:
        """Return the account, or None when it is no more."""
        ...


class Access(Protocol):
    """Who may do what with a repository. Answers hold for now only, and are asked for at every request."""

    async def may_pull(self, caller: Account | None, repository: str) -> bool:
        """Whether the model exists and the caller (None: anyone) may see it."""
        ...

    async def push_refusal(self, caller: Account, repository: str) -> str | None:
        """Say in a sentence why the caller may not push there; None when they may, though the model need not exist.

        The sentence must not tell whether a model exists that the caller may not see.
        """
        ...

    async def open_for_push(self, caller: Account, repository: str) -> None:
        """Make the model if there is none: its first manifest is about to be written down."""
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class Push:
    """An image that has been pushed. For an index, the image in it that runs on our hosts (linux/amd64)."""

    repository: str
    account: Account
    digest: str
    """The image manifest's digest: the version's id after `sha256:`."""
    media_type: str
    manifest: Mapping[str, Any]
    config: Mapping[str, Any]
    labels: Mapping[str, str]
    size: int
    """Bytes of the configuration and the layers, as they are kept."""
    platform: str
    """`os/architecture`, of the configuration."""
    tag: str | None
    """The tag that now names it, directly or through an index."""
    index: str | None = None
    """The digest of the index that names it."""


class PushObserver(Protocol):
    """Who wants to know what has been pushed."""

    async def pushed(self, push: Push) -> None:
        """Take note. Called after the manifest is durable, before the client hears of it; again for the same push."""
        ...


class Pins(Protocol):
    """What must not be deleted through the registry."""

    async def pin(self, caller: Account, repository: str, digest: str) -> str | None:
        """Say in a sentence why this manifest stays (it is a version); None when the caller may delete it."""
        ...
