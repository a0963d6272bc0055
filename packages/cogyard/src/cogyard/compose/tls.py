"""The certificate that the platform shows, read again when its files change: renewing one needs no restart."""

from __future__ import annotations

import logging
import ssl
from pathlib import Path
from typing import Self

from cogyard.errors import CogyardError

_log = logging.getLogger("cogyard.platform")

#: The files are looked at this often, in seconds.
LOOK = 60.0


class CertificateError(CogyardError):
    """The certificate or its key can't be used."""

    code = "certificate_unusable"


class Certificate:
    """A certificate with its key, and the TLS context made of them."""

    def __init__(self, cert: Path, key: Path, context: ssl.SSLContext) -> None:
        self.context = context
        self._cert, self._key = cert, key
        self._seen = self._look()

    @classmethod
    def read(cls, cert: Path, key: Path) -> Self:
        """Read both files. Raises CertificateError saying which one is at fault."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.set_alpn_protocols(["http/1.1"])
        _load(context, cert, key)
        return cls(cert, key, context)

    def refresh(self) -> bool:
        """Use the files as they are now if they have changed; keep what there is when they don't fit. Blocks."""
        seen = self._look()
        if seen == self._seen:
            return False
        self._seen = seen
        try:
            # Tried apart first: a context half-way between two certificates would answer nobody.
            _load(ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), self._cert, self._key)
            _load(self.context, self._cert, self._key)
        except CertificateError as error:
            _log.error("certificate_not_renewed", extra={"reason": error.message})
            return False
        _log.info("certificate_renewed", extra={"file": str(self._cert)})
        return True

    def _look(self) -> tuple[object, ...]:
        return tuple(_stamp(path) for path in (self._cert, self._key))


def _stamp(path: Path) -> object:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_ino, found.st_size


def _load(context: ssl.SSLContext, cert: Path, key: Path) -> None:
    for path, called in ((cert, "tls_cert"), (key, "tls_key")):
        try:
            path.read_bytes()
        except OSError as error:
            raise CertificateError(
                f"The file of {called}, {path}, cannot be read: {error.strerror}.",
                hint="Name a PEM file that the platform's user may read.",
            ) from error
    try:
        # A key with a passphrase would have OpenSSL ask on the terminal, in the middle of a start.
        context.load_cert_chain(cert, key, password=_no_passphrase)
    except ssl.SSLError as error:
        reasons = {
            "KEY_VALUES_MISMATCH": f"The key {key} does not belong to the certificate {cert}.",
            "NO_START_LINE": f"{cert} or {key} is not a PEM file.",
        }
        raise CertificateError(
            reasons.get(error.reason or "", f"{cert} and {key} cannot be used: {error.reason or error}."),
            hint="tls_cert is the certificate with those above it, tls_key its private key, both PEM.",
        ) from error
    except _PassphraseError as error:
        raise CertificateError(
            f"The key {key} has a passphrase.", hint="`openssl pkey -in KEY -out NEW` takes it off."
        ) from error


class _PassphraseError(Exception):
    """OpenSSL asked for a passphrase."""


def _no_passphrase() -> str:
    raise _PassphraseError
