"""Rules about what callers name: addresses, file names, data URLs, ids."""

from __future__ import annotations

import base64
import json
import tempfile
from pathlib import Path

import pytest
from cog_server import ids, names
from cog_server.errors import InputFetchError, InputInvalidError
from cog_server.inputs import data_urls
from cog_server.inputs.addresses import AddressRule, Target, is_public, target
from hypothesis import given
from hypothesis import strategies as st


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "10.1.2.3", "192.168.0.1", "172.16.0.1", "169.254.169.254", "0.0.0.0", "100.64.0.1", "224.0.0.1",
        "255.255.255.255", "::1", "::", "fe80::1", "fe80::1%eth0", "fc00::1", "ff02::1", "::ffff:127.0.0.1",
        "::ffff:a9fe:a9fe", "2002:7f00:1::", "64:ff9b::10.0.0.1", "not an address", "",
    ],
)  # fmt: skip
def test_private_addresses_are_not_public_in_any_spelling(address: str) -> None:
    """Loopback, private, link-local, shared, multicast: also when wrapped in an IPv6 form."""
    assert not is_public(address)


@pytest.mark.parametrize("address", ["1.1.1.1", "93.184.216.34", "2606:4700::1111", "::ffff:1.1.1.1"])
def test_public_addresses_are_public(address: str) -> None:
    """Addresses of the internet may be fetched from."""
    assert is_public(address)


def test_one_private_address_among_many_refuses_the_host() -> None:
    """Every address of a name is checked, so a name cannot hide one behind another; the address is not told."""
    rule = AddressRule()
    with pytest.raises(InputFetchError) as caught:
        rule.check(Target("http", "evil.example", 80), ["1.1.1.1", "10.0.0.7"])
    assert "10.0.0.7" not in str(caught.value)
    with pytest.raises(InputFetchError, match="no address"):
        rule.check(Target("http", "empty.example", 80), [])


@pytest.mark.parametrize(
    ("hosts", "where", "allowed"),
    [
        (None, Target("http", "127.0.0.1", 80), False),
        ("*", Target("http", "127.0.0.1", 80), True),
        ("files.internal", Target("http", "files.internal", 9000), True),
        ("files.internal:9000", Target("http", "files.internal", 9000), True),
        ("files.internal:9000", Target("http", "files.internal", 9001), False),
        ("Files.Internal , 127.0.0.1:80", Target("http", "127.0.0.1", 80), True),
        ("[::1]:80", Target("http", "::1", 80), True),
        ("internal", Target("http", "files.internal", 80), False),
    ],
)
def test_the_operator_names_private_hosts_exactly(hosts: str | None, where: Target, allowed: bool) -> None:
    """COG_INPUT_HOSTS exempts the hosts (and ports) it names, and no others."""
    assert AddressRule.parse(hosts).exempts(where) is allowed


@pytest.mark.parametrize(
    "url",
    [
        "ftp://a/b",
        "http://",
        "file:///etc/passwd",
        "http://[bad",
        "http://a:99999/",
        "gopher://x",
        "http:///x",
    ],
)
def test_urls_that_are_not_fetched_are_refused(url: str) -> None:
    """Other schemes and malformed URLs are refused in words."""
    with pytest.raises(InputFetchError):
        target(url)


def test_a_refused_url_is_told_without_its_query() -> None:
    """A query may hold a signature, so it is not repeated."""
    with pytest.raises(InputFetchError) as caught:
        target("ftp://host/file?token=secret")
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("given_name", "safe"),
    [
        ("cat.png", "cat.png"),
        ("../../etc/passwd", "passwd"),
        ("..\\..\\boot.ini", "boot.ini"),
        ("/abs/olute.txt", "olute.txt"),
        (".hidden", "hidden"),
        ("..", "file"),
        ("", "file"),
        ("a\x00b\nc.txt", "a_b_c.txt"),
        ("猫.jpg", "猫.jpg"),
        ("x" * 300 + ".png", "x" * 116 + ".png"),
    ],
)
def test_hostile_names_become_one_plain_component(given_name: str, safe: str) -> None:
    """Separators, dots, control characters and length are tamed; ordinary names stay."""
    assert names.safe_name(given_name) == safe


@given(st.text(max_size=400))
def test_any_name_is_safe(text: str) -> None:
    """Whatever a stranger calls a file, the result is one component that a file system takes."""
    name = names.safe_name(text)
    assert name
    assert name not in (".", "..")
    assert not set(name) & set('/\\\0\n\r"')
    assert len(name.encode()) <= 140


def test_a_url_s_name_keeps_its_suffix_or_gets_the_media_type_s() -> None:
    """The file is named after the URL's last part; a missing suffix comes from the content's type."""
    assert names.name_from_url("https://x/a/b%20c.jpeg?sig=1") == "b c.jpeg"
    assert names.name_from_url("https://x/download", "image/png; q=1") == "download.png"
    assert names.name_from_url("https://x/", "text/plain") == "input.txt"
    assert names.name_from_url("https://x/%2e%2e%2fevil") == "evil"


@pytest.mark.parametrize(
    ("name", "media_type"),
    [("a.png", "image/png"), ("a.webp", "image/webp"), ("a.tar", "application/x-tar")],
)  # fmt: skip
def test_media_types_of_output_files(name: str, media_type: str) -> None:
    """The media type of an output is its suffix's."""
    assert names.media_type_of(name) == media_type


@given(st.binary(max_size=2000))
def test_data_urls_give_back_what_was_put_in(data: bytes) -> None:
    """Any bytes survive a data URL, also URL-safe, unpadded, broken into lines and percent-encoded."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "output"
        file.write_bytes(data)
        url = json.loads(bytes(data_urls.json_of_file("image/png", file)))
    assert data_urls.parse(url) == data_urls.DataUrl("image/png", data)
    loose = base64.urlsafe_b64encode(data).decode().rstrip("=")
    assert data_urls.parse("data:;base64," + loose).data == data
    broken = base64.encodebytes(data).decode().replace("+", "%2B").replace("/", "%2F")
    assert data_urls.parse("data:a/b;name=x;base64," + broken).data == data


def test_plain_data_urls_are_percent_encoded_text() -> None:
    """Without base64 the data is the URL's own text."""
    assert data_urls.parse("data:text/plain,a%20b") == data_urls.DataUrl("text/plain", b"a b")
    assert data_urls.parse("data:,x").media_type == "text/plain"


@pytest.mark.parametrize(
    "url", ["data:", "data:image/png;base64", "data:;base64,@@@", "data:;base64,A", "http://x"]
)
def test_malformed_data_urls_are_refused(url: str) -> None:
    """What is no data URL is an input error."""
    with pytest.raises(InputFetchError):
        data_urls.parse(url)


@pytest.mark.parametrize("given_id", ["", "a/b", "../x", "a" * 129, "é", "a b", "a\n", 5, None, ["a"]])
def test_hostile_ids_are_refused(given_id: object) -> None:
    """An id is letters, digits, underscore and hyphen: nothing that could be a path or a header."""
    with pytest.raises(InputInvalidError):
        ids.check_id(given_id)


def test_made_ids_are_good_and_never_the_same() -> None:
    """Ids that the server makes pass its own check and do not repeat."""
    made = {ids.make_id() for _ in range(2000)}
    assert len(made) == 2000
    assert all(ids.check_id(one) == one for one in made)
