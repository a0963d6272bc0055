"""What the registry refuses, in the words of the OCI distribution protocol.

DistributionError
├── AddressUnknownError       404 no part of the protocol
├── UnauthorizedError         401 who are you?
├── DeniedError               403 not yours
│   └── QuotaExceededError    403 the owner's repositories hold as much as they may
├── RefusedError              4xx the platform refuses for a reason of its own
├── TooManyRequestsError      429 come back later
├── NameInvalidError          400 no repository of ours can be called so
├── NameUnknownError          404 no such repository, or none that the caller may know of
├── TagInvalidError           400
├── DigestInvalidError        400 not a digest, or not the content's
├── SizeInvalidError          400 more or fewer bytes than announced
├── RangeInvalidError         416 bytes that are not there
├── PaginationInvalidError    400 `n` is no number
├── BlobUnknownError          404
├── BlobUploadUnknownError    404
├── BlobUploadInvalidError    400 (416 for a piece that does not follow, 409 for one at a time)
├── ManifestUnknownError      404
├── ManifestInvalidError      400
├── ManifestBlobUnknownError  400 the manifest names what is not in its repository
├── UnsupportedError          405
├── SlowClientError           408
├── TooLargeError             413
└── StorageFullError          507
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cogyard.errors import CogyardError


class DistributionError(CogyardError):
    """A request to the registry was refused, for a reason in `message`; `detail` is for machines."""

    code = "UNKNOWN"
    http_status = 500

    def __init__(
        self,
        message: str,
        *,
        hint: str | None = None,
        detail: Any = None,
        status: int | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message, hint=hint)
        self.detail = detail
        self.status = status if status is not None else self.http_status
        self.headers = dict(headers or {})


class AddressUnknownError(DistributionError):
    """The path is no part of the protocol."""

    code = "UNSUPPORTED"
    http_status = 404


class UnauthorizedError(DistributionError):
    """The request does not show who asks, or shows it wrongly. The answer carries a challenge."""

    code = "UNAUTHORIZED"
    http_status = 401


class DeniedError(DistributionError):
    """The caller is known and may not do this."""

    code = "DENIED"
    http_status = 403


class QuotaExceededError(DeniedError):
    """The owner's repositories hold as much as they may."""

    def __init__(self, *, owner: str, held: int, quota: int, more: int = 0, unused: int = 0) -> None:
        """Name whose repositories, how many bytes they hold, and how many they may.

        `more` bytes were to come; `unused` of those held are in no image, which a push left that did not end.
        """
        coming = f", and {more} more were to come" if more else ""
        left = f" {unused} are of pushes that did not end, and come free an hour after." if unused else ""
        super().__init__(
            f"The repositories of {owner} hold {held} of the {quota} bytes they may hold{coming}.{left}",
            hint="Delete images or models that are not needed, or ask the operator for more.",
            detail={"held": held, "quota": quota},
        )


class RefusedError(DistributionError):
    """The platform refuses, for a reason that the protocol has no word for."""

    code = "REFUSED"
    http_status = 400


class TooManyRequestsError(DistributionError):
    """Come back later; `Retry-After` says when."""

    code = "TOOMANYREQUESTS"
    http_status = 429


class NameInvalidError(DistributionError):
    """A repository is called `owner/name`."""

    code = "NAME_INVALID"
    http_status = 400


class NameUnknownError(DistributionError):
    """There is no such repository; a private one of somebody else is answered in the same words."""

    code = "NAME_UNKNOWN"
    http_status = 404

    def __init__(self, repository: str) -> None:
        super().__init__(f"There is no repository {repository}.", detail={"name": repository})


class TagInvalidError(DistributionError):
    """A tag has 1 to 128 letters, digits, '_', '.' and '-'."""

    code = "TAG_INVALID"
    http_status = 400


class DigestInvalidError(DistributionError):
    """A digest is `sha256:` and 64 hex digits, and the content's."""

    code = "DIGEST_INVALID"
    http_status = 400


class SizeInvalidError(DistributionError):
    """Another number of bytes came than was announced."""

    code = "SIZE_INVALID"
    http_status = 400


class RangeInvalidError(DistributionError):
    """The range asked for is not within the blob."""

    code = "RANGE_INVALID"
    http_status = 416


class PaginationInvalidError(DistributionError):
    """`n` is a whole number."""

    code = "PAGINATION_NUMBER_INVALID"
    http_status = 400


class BlobUnknownError(DistributionError):
    """The repository has no such blob, whether or not another one has."""

    code = "BLOB_UNKNOWN"
    http_status = 404

    def __init__(self, repository: str, digest: str) -> None:
        super().__init__(f"{repository} has no blob {digest}.", detail={"digest": digest})


class BlobUploadUnknownError(DistributionError):
    """There is no such upload in this repository."""

    code = "BLOB_UPLOAD_UNKNOWN"
    http_status = 404


class BlobUploadInvalidError(DistributionError):
    """The piece does not fit the upload."""

    code = "BLOB_UPLOAD_INVALID"
    http_status = 400


class ManifestUnknownError(DistributionError):
    """The repository has no such tag or manifest."""

    code = "MANIFEST_UNKNOWN"
    http_status = 404


class ManifestInvalidError(DistributionError):
    """What was sent is not a manifest."""

    code = "MANIFEST_INVALID"
    http_status = 400


class ManifestBlobUnknownError(DistributionError):
    """A manifest may name only what its repository has."""

    code = "MANIFEST_BLOB_UNKNOWN"
    http_status = 400

    def __init__(self, repository: str, digests: tuple[str, ...]) -> None:
        shown = ", ".join(digests[:3]) + (f" and {len(digests) - 3} more" if len(digests) > 3 else "")
        super().__init__(
            f"The manifest names what {repository} does not have with that size: {shown}.",
            hint="Push every blob and every image of an index first, then the manifest.",
            detail=[{"digest": digest} for digest in digests[:100]],
        )


class UnsupportedError(DistributionError):
    """This registry does not do that."""

    code = "UNSUPPORTED"
    http_status = 405


class SlowClientError(DistributionError):
    """The client stopped sending in the middle of a request."""

    code = "TIMEOUT"
    http_status = 408


class TooLargeError(DistributionError):
    """More bytes than the registry takes."""

    code = "SIZE_INVALID"
    http_status = 413


class StorageFullError(DistributionError):
    """Our disk is full; the client can do nothing but wait for the operator."""

    code = "STORAGE_FULL"
    http_status = 507
