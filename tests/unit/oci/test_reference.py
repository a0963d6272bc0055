"""Image names: docker's rules for what is left out, and what is refused."""

from __future__ import annotations

import pytest
from cogyard.oci.errors import InvalidReferenceError
from cogyard.oci.reference import Reference, check_repository, check_tag, is_host
from hypothesis import given
from hypothesis import strategies as st

DIGEST = "sha256:" + "a" * 64


@pytest.mark.parametrize(
    ("text", "host", "repository", "tag", "familiar"),
    [
        ("hello", "docker.io", "library/hello", "latest", "hello:latest"),
        ("python:3.13-slim", "docker.io", "library/python", "3.13-slim", "python:3.13-slim"),
        ("me/hello", "docker.io", "me/hello", "latest", "me/hello:latest"),
        ("index.docker.io/me/hello", "docker.io", "me/hello", "latest", "me/hello:latest"),
        ("localhost/me/hello", "localhost", "me/hello", "latest", "localhost/me/hello:latest"),
        ("localhost:5000/hello", "localhost:5000", "hello", "latest", "localhost:5000/hello:latest"),
        ("127.0.0.1:8080/a/b:v1", "127.0.0.1:8080", "a/b", "v1", "127.0.0.1:8080/a/b:v1"),
        ("[::1]:5000/a/b", "[::1]:5000", "a/b", "latest", "[::1]:5000/a/b:latest"),
        ("Registry.Example/a", "registry.example", "a", "latest", "registry.example/a:latest"),
        (
            "registry.example/a/b/c/d",
            "registry.example",
            "a/b/c/d",
            "latest",
            "registry.example/a/b/c/d:latest",
        ),
    ],
)
def test_names_are_read_as_docker_reads_them(
    text: str, host: str, repository: str, tag: str, familiar: str
) -> None:
    """What a name leaves out is filled in by docker's rules, and the familiar form leaves it out again."""
    reference = Reference.parse(text)
    assert (reference.host, reference.repository, reference.tag) == (host, repository, tag)
    assert reference.familiar == familiar
    assert Reference.parse(reference.familiar) == reference
    assert Reference.parse(str(reference)) == reference


def test_a_digest_stands_beside_or_instead_of_a_tag() -> None:
    """A digest alone brings no tag with it, and is what a registry is asked for."""
    alone, both = Reference.parse(f"a.b/c@{DIGEST}"), Reference.parse(f"a.b/c:v1@{DIGEST}")
    assert (alone.tag, alone.digest, both.tag) == (None, DIGEST, "v1")
    assert alone.target == both.target == DIGEST
    assert alone.with_tag("x").target == "x"
    assert both.with_digest(DIGEST) == alone


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "1 to"),
        ("Hello", "capital"),
        ("a.b/Me/model", "capital"),
        ("a.b/../etc", "relative"),
        ("a.b/me//model", "empty"),
        ("a.b/me/", "empty"),
        ("a.b/me/.hidden", "not a name"),
        ("a.b/me/a b", "not a name"),
        ("a.b/me/a\n", "not a name"),
        ("a.b/me/a---_b", "not a name"),
        ("https://a.b/me/model", "scheme"),
        ("a.b:99999/me/model", "HOST"),
        ("a.b:0/me/model", "HOST"),
        ("-a.b/me/model", "HOST"),
        ("a.b/me/model:", "not a tag"),
        ("a.b/me/model:.x", "not a tag"),
        ("a.b/me/model:" + "x" * 129, "not a tag"),
        ("a.b/me/model@sha256:abc", "not a digest"),
        ("a.b/me/model@md5:" + "a" * 32, "not a digest"),
        ("a.b/" + "x" * 252, "limit is 255"),
        ("a" * 2000, "1 to 255"),
    ],
)
def test_what_is_no_name_is_refused_with_the_reason(text: str, words: str) -> None:
    """Every refusal says which part is wrong."""
    with pytest.raises(InvalidReferenceError) as caught:
        Reference.parse(text)
    assert words in caught.value.message
    assert len(caught.value.message) < 400


def test_capitals_are_answered_with_the_lower_case_name() -> None:
    """The likeliest mistake comes with its correction."""
    with pytest.raises(InvalidReferenceError) as caught:
        Reference.parse("a.b/Me/Model")
    assert caught.value.hint == "Did you mean 'me/model'?"
    with pytest.raises(InvalidReferenceError) as caught:
        Reference.parse("a.b/Bad Name")
    assert caught.value.hint is None  # in lower case it is none either


@given(st.text(max_size=300))
def test_any_text_is_a_name_or_refused(text: str) -> None:
    """No text breaks the parser, and what it accepts is safe as a path and reads back the same."""
    try:
        reference = Reference.parse(text)
    except InvalidReferenceError:
        return
    assert ".." not in reference.repository.split("/")
    assert Reference.parse(str(reference)) == reference
    assert is_host(reference.host)
    check_repository(reference.repository)
    if reference.tag is not None:
        check_tag(reference.tag)


def test_a_short_name_is_corrected_as_it_was_typed() -> None:
    """Whoever typed `My-Model` is not told of a `library/` that they did not type."""
    with pytest.raises(InvalidReferenceError, match=r"\A'My-Model' has capital") as caught:
        Reference.parse("My-Model")
    assert caught.value.hint == "Did you mean 'my-model'?"
