"""The end of a certificate, read off bytes that may be anything."""

from __future__ import annotations

import base64
from datetime import datetime

from cogyard.compose.certificate import valid_until
from hypothesis import given
from hypothesis import strategies as st


def _pem(der: bytes) -> str:
    body = base64.encodebytes(der).decode()
    return f"-----BEGIN CERTIFICATE-----\n{body}-----END CERTIFICATE-----\n"


@given(st.binary(max_size=300), st.integers(0, 80))
def test_whatever_the_bytes_are_there_is_an_end_or_none(noise: bytes, length: int) -> None:
    """Nothing is raised: the file is the operator's, and may be broken in any way."""
    for der in (noise, bytes([0x30, len(noise) & 0x7F]) + noise, bytes([0x30, 0x84]) + noise, noise[:length]):
        found = valid_until(_pem(der))
        assert found is None or isinstance(found, datetime)


def test_what_is_no_certificate_has_no_end() -> None:
    """A key, an empty file, a certificate cut off."""
    for text in ("", "-----BEGIN PRIVATE KEY-----", "-----BEGIN CERTIFICATE-----\nMIIB", _pem(b"")):
        assert valid_until(text) is None
