"""Until when a certificate is valid, read off its bytes (RFC 5280, 4.1). Pure.

The standard library tells this of a peer's certificate only; a parser of all of X.509 would be a large dependency for
one date, which stands at a fixed place.
"""

from __future__ import annotations

import ssl
from datetime import UTC, datetime

_SEQUENCE, _VERSION, _UTC_TIME, _GENERALIZED_TIME = 0x30, 0xA0, 0x17, 0x18
_END = "-----END CERTIFICATE-----"


def valid_until(pem: str) -> datetime | None:
    """Return the end of the first certificate of a PEM file; None for what cannot be read."""
    start = pem.find("-----BEGIN CERTIFICATE-----")
    end = pem.find(_END, start)
    if start < 0 or end < 0:
        return None
    try:
        return _not_after(ssl.PEM_cert_to_DER_cert(pem[start : end + len(_END)]))
    except (ValueError, IndexError):
        return None


def _not_after(der: bytes) -> datetime:
    """Walk to the second date: Certificate, tbsCertificate, past version, number, algorithm and issuer, validity."""
    _, certificate, _ = _element(der)
    _, signed, _ = _element(certificate)
    tag, _, rest = _element(signed)
    for _ in range(3 if tag == _VERSION else 2):
        _, _, rest = _element(rest)
    tag, validity, _ = _element(rest)
    if tag != _SEQUENCE:
        raise ValueError("there is no validity")
    _, _, rest = _element(validity)
    tag, text, _ = _element(rest)
    return _moment(tag, text.decode("ascii"))


def _element(data: bytes) -> tuple[int, bytes, bytes]:
    """Return tag, content and what follows of one element with a definite length."""
    tag, length, at = data[0], data[1], 2
    if length & 0x80:
        size = length & 0x7F
        if not 1 <= size <= 4:
            raise ValueError("the length is none of DER")
        length, at = int.from_bytes(data[2 : 2 + size], "big"), 2 + size
    if len(data) < at + length:
        raise ValueError("it is cut off")
    return tag, data[at : at + length], data[at + length :]


def _moment(tag: int, text: str) -> datetime:
    if tag == _UTC_TIME:
        # Two digits of the year: those from 50 on are of the last century.
        text = ("19" if int(text[:2]) >= 50 else "20") + text
    elif tag != _GENERALIZED_TIME:
        raise ValueError("the end is no date")
    return datetime.strptime(text, "%Y%m%d%H%M%SZ").replace(tzinfo=UTC)
