"""Ids and secrets are spelled so that they sort, survive and cannot be guessed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from cogyard.domain import ids
from hypothesis import given
from hypothesis import strategies as st

MOMENTS = st.integers(946_684_800_000, 16_725_225_600_000).map(
    lambda milliseconds: datetime.fromtimestamp(milliseconds / 1000, UTC)
)
RANDOM = st.binary(min_size=ids.ID_RANDOM_BYTES, max_size=ids.ID_RANDOM_BYTES)


@given(MOMENTS, RANDOM)
def test_an_id_is_26_characters_that_are_recognised(moment: datetime, random: bytes) -> None:
    """Every id passes the check that guards lookups."""
    made = ids.new_id(moment, random)
    assert len(made) == 26
    assert ids.is_id(made)


@given(MOMENTS, RANDOM, RANDOM, st.integers(2, 10**9))
def test_ids_sort_by_age(moment: datetime, first: bytes, second: bytes, later: int) -> None:
    """An id made at least two milliseconds later sorts later, whatever the random part."""
    assert ids.new_id(moment, first) < ids.new_id(moment + timedelta(milliseconds=later), second)


@given(MOMENTS, RANDOM)
def test_the_first_id_of_a_moment_is_not_after_any_other(moment: datetime, random: bytes) -> None:
    """Lists by time begin at the smallest id of that time."""
    assert ids.first_id(moment) <= ids.new_id(moment, random)


@given(st.text(max_size=40))
def test_hostile_text_is_no_id(text: str) -> None:
    """Nothing outside the alphabet and the length passes."""
    if ids.is_id(text):
        assert len(text) == 26
        assert set(text) <= set(ids.ALPHABET)


def test_newline_at_the_end_is_no_id() -> None:
    """A trailing newline is refused, which a pattern's dollar sign would let through."""
    assert not ids.is_id("0" * 26 + "\n")
    assert not ids.is_version("0" * 64 + "\n")
    assert not ids.is_capability("0" * 32 + "\n")


def test_a_token_is_cyd_and_40_characters() -> None:
    """Tokens have a public prefix by which scanners find them."""
    token = ids.new_token(bytes(range(25)))
    assert token.startswith("cyd_")
    assert len(token) == 44


def test_a_webhook_secret_has_one_underscore_and_standard_base64() -> None:
    """Official clients split at the underscore and decode standard base64 (wire gotcha 6)."""
    secret = ids.new_webhook_secret(b"\xfb\xff\xfe" * 8)
    assert secret.count("_") == 1
    assert "-" not in secret
    assert "+" in secret


@given(st.binary(min_size=20, max_size=20))
def test_a_streams_token_says_whether_files_are_streamed(random: bytes) -> None:
    """And is as good a capability as any."""
    for of_files in (True, False):
        token = ids.new_stream_token(random, of_files=of_files)
        assert ids.is_capability(token)
        assert ids.streams_files(token) is of_files
