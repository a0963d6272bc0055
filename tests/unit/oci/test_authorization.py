"""Challenges and tokens: read by the rules, and credentials go nowhere they should not."""

from __future__ import annotations

import pytest
from cogyard.oci.authorization import (
    Challenge,
    Credential,
    Scope,
    is_loopback,
    read_challenge,
    read_token,
    token_url,
)
from cogyard.oci.errors import NotARegistryError
from hypothesis import given
from hypothesis import strategies as st


def test_a_bearer_challenge_is_read() -> None:
    """Realm, service and scope are taken from the header, quoted or not."""
    header = 'Bearer realm="https://a.b/token",service=a.b, scope="repository:x/y:pull,push" , error="invalid_token"'
    assert read_challenge(header) == Challenge(
        scheme="bearer",
        realm="https://a.b/token",
        service="a.b",
        scope="repository:x/y:pull,push",
        error="invalid_token",
    )
    assert read_challenge('Basic realm="x"') == Challenge(scheme="basic", realm="x")


@pytest.mark.parametrize("header", [None, "", "Negotiate", "Digest realm=x", "Bearer " + "a=b," * 5000])
def test_other_challenges_are_not_answered(header: str | None) -> None:
    """What we cannot answer is not tried."""
    assert read_challenge(header) is None


@given(st.text(max_size=200))
def test_no_header_breaks_the_reader(header: str) -> None:
    """Any header is read or left."""
    read_challenge(f"Bearer {header}")


def test_a_token_is_asked_for_by_scope() -> None:
    """The token's address carries the service and every scope."""
    challenge = Challenge(scheme="bearer", realm="https://a.b/token?x=1", service="a b")
    scopes = [Scope(repository="me/m", actions="pull,push"), Scope(repository="o/n")]
    assert token_url(challenge, scopes, "https://a.b") == (
        "https://a.b/token?x=1&service=a+b&scope=repository%3Ame%2Fm%3Apull%2Cpush&scope=repository%3Ao%2Fn%3Apull"
    )


@pytest.mark.parametrize(
    ("realm", "registry"),
    [
        ("http://evil.example/token", "https://a.b"),
        ("http://a.b/token", "http://c.d"),
        ("http://127.0.0.1/token", "https://a.b"),
        ("file:///etc/passwd", "https://a.b"),
        ("https://user@evil.example/", "https://a.b"),
        ("", "https://a.b"),
    ],
)
def test_credentials_are_not_sent_in_the_open(realm: str, registry: str) -> None:
    """A realm over plain http on another machine gets no credentials."""
    with pytest.raises(NotARegistryError):
        token_url(Challenge(scheme="bearer", realm=realm), [], registry)


@pytest.mark.parametrize(
    ("realm", "registry"),
    [
        ("http://127.0.0.1:99/token", "http://127.0.0.1:98"),
        ("http://a.b/t", "http://a.b"),
        ("https://c.d/t", "http://a.b"),
    ],
)
def test_realms_that_are_safe_are_asked(realm: str, registry: str) -> None:
    """Https anywhere, the registry itself, and this machine from this machine."""
    assert token_url(Challenge(scheme="bearer", realm=realm), [], registry).startswith(realm)


def test_either_name_of_the_token_will_do() -> None:
    """Registries call it token or access_token; without a lifetime it is good for a minute."""
    assert read_token(b'{"token":"abc","expires_in":300}') == ("abc", 300)
    assert read_token(b'{"access_token":"abc"}') == ("abc", 60)


@pytest.mark.parametrize(
    "body", [b"", b"{}", b"[]", b'{"token":""}', b'{"token":"a\\nb: c"}', b"[" * 100_000]
)
def test_an_answer_without_a_token_is_not_a_token_endpoint(body: bytes) -> None:
    """Nothing that could split a header is taken for a token."""
    with pytest.raises(NotARegistryError):
        read_token(body)


def test_a_credential_never_shows_its_secret() -> None:
    """Neither repr nor str of a credential holds the password."""
    credential = Credential(username="me", password="s3cret")
    assert "s3cret" not in f"{credential!r}{credential}"
    assert credential.basic == "Basic bWU6czNjcmV0"


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("localhost", True), ("localhost:5000", True), ("127.0.0.1", True), ("127.8.9.1:80", True),
        ("[::1]:5000", True), ("::1", True), ("localhost.example", False), ("127.0.0.1.example", False),
        ("10.0.0.1", False), ("a.b", False),
    ],
)  # fmt: skip
def test_only_this_machine_is_loopback(host: str, expected: bool) -> None:
    """Names that merely begin like this machine's are not it."""
    assert is_loopback(host) is expected
