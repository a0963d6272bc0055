"""What can go wrong with images at rest and in motion.

OciError
├── InvalidDigestError        a digest that is not `sha256:` and 64 hex digits
├── InvalidReferenceError     an image name that is not one
├── InvalidDocumentError      a manifest, index or config that is not one
├── ImageNotFoundError        no such image in the local store
├── ImageAmbiguousError       several images of the local store may be meant
├── BlobMissingError          the local store lacks a blob that an image names
├── StoreBusyError            another command works in the local store
├── StoreFullError            the disk that holds the local store is full
├── StoreUnusableError        the local store cannot be read or written
└── RegistryError             a registry, or the way to it
    ├── RegistryUnreachableError   no answer at all
    ├── NotARegistryError          an answer, but not the distribution protocol's
    ├── RegistryRefusedError       401: who are you?
    ├── RegistryDeniedError        403: not yours
    ├── RegistryNotFoundError      404
    ├── RegistryFailedError        5xx, 429 or a broken protocol, after retries
    │   └── BlobsLackingError          a manifest names blobs that the registry does not have
    └── DigestMismatchError        bytes that are not what was asked for
"""

from __future__ import annotations

from cogyard.errors import CogyardError


class OciError(CogyardError):
    """Something about an image or a registry is not as it must be."""

    code = "oci"


class InvalidDigestError(OciError):
    """A digest is `sha256:` followed by 64 hexadecimal digits."""

    code = "digest_invalid"
    http_status = 400


class InvalidReferenceError(OciError):
    """An image's name is `[HOST[:PORT]/]path[:tag][@digest]`, in lower case."""

    code = "reference_invalid"
    exit_status = 2
    http_status = 400


class InvalidDocumentError(OciError):
    """A document is not the manifest, index or configuration that it claims to be."""

    code = "document_invalid"
    http_status = 400


class ImageNotFoundError(OciError):
    """There is no such image in the local store."""

    code = "image_not_found"
    http_status = 404


class ImageAmbiguousError(OciError):
    """Several images of the local store may be meant."""

    code = "image_ambiguous"
    http_status = 400


class BlobMissingError(OciError):
    """The local store lacks a part of an image."""

    code = "blob_missing"
    http_status = 404


class StoreBusyError(OciError):
    """Another command builds, pulls or pushes, and what it works with must not be removed."""

    code = "store_busy"


class StoreFullError(OciError):
    """The disk that holds the local image store is full."""

    code = "disk_full"
    http_status = 507


class StoreUnusableError(OciError):
    """The folder of the local store cannot be read or written."""

    code = "store_unusable"


class RegistryError(OciError):
    """A registry could not do what was asked. `status` is its HTTP status, or None without an answer."""

    code = "registry"
    http_status = 502

    def __init__(self, message: str, *, hint: str | None = None, status: int | None = None) -> None:
        """Keep the registry's HTTP status beside the message."""
        super().__init__(message, hint=hint)
        self.status = status


class RegistryUnreachableError(RegistryError):
    """No answer came from the registry."""

    code = "registry_unreachable"


class NotARegistryError(RegistryError):
    """Something answered, but it does not speak the distribution protocol."""

    code = "not_a_registry"


class RegistryRefusedError(RegistryError):
    """The registry wants to know who asks, or does not accept the answer."""

    code = "registry_unauthorized"


class RegistryDeniedError(RegistryError):
    """The registry knows who asks, and does not allow it."""

    code = "registry_denied"


class RegistryNotFoundError(RegistryError):
    """The registry has no such image, or does not show it to us."""

    code = "registry_not_found"


class RegistryFailedError(RegistryError):
    """The registry failed, or broke the protocol."""

    code = "registry_failed"


class BlobsLackingError(RegistryFailedError):
    """The registry does not take a manifest, because it lacks blobs that the manifest names."""

    code = "blobs_lacking"


class DigestMismatchError(RegistryError):
    """The bytes received are not those that were named."""

    code = "digest_mismatch"
