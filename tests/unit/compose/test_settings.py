"""What an operator can set, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest
from cogyard.compose.settings import FIELDS, Settings, SettingsError, load, misspelt_variables
from cogyard.compose.settings_page import reference

ROOT = Path(__file__).parents[3]


def test_arguments_win_over_environment_over_file(tmp_path: Path) -> None:
    """The nearest source wins, each setting for itself."""
    file = tmp_path / "settings.toml"
    file.write_text('port = 1\nhost = "file"\nlog_level = "error"\n')
    settings = load(
        {"port": 3, "host": None, "data_dir": tmp_path}, {"COGYARD_PORT": "2", "COGYARD_HOST": "env"}, file
    )
    assert (settings.port, settings.host, settings.log_level) == (3, "env", "error")


def test_the_file_may_be_named_by_the_environment(tmp_path: Path) -> None:
    """COGYARD_CONFIG names the file when no argument does."""
    (tmp_path / "s.toml").write_text(
        "idle_timeout = 2.5\naccess_log = true\ninput_hosts = ['10.0.0.1:80', 'h']\n"
    )
    settings = load({}, {"COGYARD_CONFIG": str(tmp_path / "s.toml")})
    assert (settings.idle_timeout, settings.access_log, settings.input_hosts) == (
        2.5,
        True,
        ("10.0.0.1:80", "h"),
    )


def test_a_file_may_come_from_windows(tmp_path: Path) -> None:
    """Line ends of two characters, and a mark before the first line, change nothing, nor do they shift lines."""
    file = tmp_path / "s.toml"
    file.write_bytes(b'\xef\xbb\xbfport = 1\r\nhost = "h"\r\n')
    assert (load({}, {}, file).port, load({}, {}, file).host) == (1, "h")
    file.write_bytes(b"\xef\xbb\xbfport = 1\r\nhots = 2\r\n")
    with pytest.raises(SettingsError, match="line 2: hots is not a setting"):
        load({}, {}, file)


def test_defaults_listen_on_loopback_only(tmp_path: Path) -> None:
    """Nothing set: this machine alone can reach it."""
    settings = load({"data_dir": str(tmp_path)}, {})
    assert (settings.host, settings.port, settings.public_url) == ("127.0.0.1", 8000, None)
    assert settings.max_instances >= 2


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("port", "70000", "from 0 to 65535"),
        ("port", "eighty", "whole number"),
        ("port", True, "whole number"),
        ("idle_timeout", "0", "seconds above 0"),
        ("idle_timeout", "nan", "seconds above 0"),
        ("access_log", "maybe", "true or false"),
        ("log_level", "loud", "one of debug"),
        ("runtime", "cloud", "one of auto"),
        ("public_url", "models.example.com", "must be an address"),
        ("public_url", "https://example.com/cogyard", "must not have a path"),
        ("public_url", "https://ann:pw@example.com", "must not hold a user name or password"),
        ("input_hosts", "a b", "list of host:port"),
        ("input_hosts", 7, "list of host:port"),
        ("trusted_proxies", "10.0.0.0/33", "10.0.0.0/33' is none"),
        ("trusted_proxies", "proxy.example", "must be a list of addresses"),
        ("trusted_proxies", True, "must be a list of addresses"),
        ("host", " ", "must be a text"),
        ("data_dir", "", "must be a path"),
    ],
)
def test_a_wrong_value_is_refused(name: str, value: object, says: str) -> None:
    """The setting, the value and what it may be are all in the message."""
    with pytest.raises(SettingsError, match=says) as refused:
        load({name: value}, {})
    assert f"--{name.replace('_', '-')}" in refused.value.message
    assert refused.value.exit_status == 2


def test_all_problems_are_told_at_once(tmp_path: Path) -> None:
    """An operator fixes the file once, not line by line."""
    file = tmp_path / "settings.toml"
    file.write_text('prot = 1\nport = "x"\n')
    with pytest.raises(SettingsError) as refused:
        load({}, {"COGYARD_LOG_LEVEL": "loud"}, file)
    assert refused.value.message.splitlines() == [
        f"{file}, line 1: prot is not a setting. Did you mean port?",
        f"{file}, line 2: port must be a whole number, not 'x'",
        "COGYARD_LOG_LEVEL must be one of debug, info, warning, error, not 'loud'",
    ]


def test_a_line_is_named_however_a_key_is_written(tmp_path: Path) -> None:
    """Quoted, as a table, after comments and blank lines."""
    file = tmp_path / "settings.toml"
    file.write_text('# prot = 2\n\n"hots" = "x"\n  [ lgo_level ]\nx = 1\n')
    with pytest.raises(SettingsError) as refused:
        load({}, {}, file)
    lines = refused.value.message.splitlines()
    assert [line.partition(": ")[0] for line in lines] == [f"{file}, line 3", f"{file}, line 4"]


def test_networks_and_certificates_are_read(tmp_path: Path) -> None:
    """Addresses may be networks; a certificate needs its key."""
    settings = load({"trusted_proxies": "127.0.0.1, 10.1.2.3/8,2001:db8::/32"}, {})
    assert [str(one) for one in settings.trusted_proxies] == ["127.0.0.1/32", "10.0.0.0/8", "2001:db8::/32"]
    with pytest.raises(SettingsError, match="go together"):
        load({"tls_cert": tmp_path / "cert.pem"}, {})


@pytest.mark.parametrize("text", ["port = ", "\x00", "[port]\nx = 1"])
def test_a_file_that_makes_no_sense_is_refused(tmp_path: Path, text: str) -> None:
    """Not TOML, or a table where a value stands: a message, not a traceback."""
    file = tmp_path / "settings.toml"
    file.write_text(text)
    with pytest.raises(SettingsError):
        load({}, {}, file)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    """A file that was named has to be there."""
    with pytest.raises(SettingsError, match=r"cannot be read"):
        load({}, {}, tmp_path / "nowhere.toml")


def test_misspelt_variables_are_noticed() -> None:
    """COGYARD_PROT is most likely COGYARD_PORT; variables of other parts are let be."""
    assert misspelt_variables({"COGYARD_PROT": "1", "COGYARD_CACHE_DIR": "x", "HOME": "y"}) == [
        "COGYARD_PROT is not a setting. Did you mean COGYARD_PORT?"
    ]


def test_the_reference_page_is_this_table() -> None:
    """docs/reference/settings.md is what the settings say of themselves."""
    page = (ROOT / "docs" / "reference" / "settings.md").read_text("utf-8")
    assert page == reference()
    assert all(f"## {name}\n" in page for name in FIELDS)


def test_settings_are_values() -> None:
    """Nothing changes a setting after it was read."""
    with pytest.raises(AttributeError):
        Settings().port = 1  # type: ignore[misc]  # that is the test


def test_what_set_names_is_told_as_it_was_typed() -> None:
    """A setting without an option of its own is not called one; `--set` wins over its option."""
    with pytest.raises(SettingsError) as refused:
        load({}, {}, pairs={"rate_creates": "many", "prot": "1"})
    assert [
        line.partition(" must")[0].partition(" is")[0] for line in refused.value.message.splitlines()
    ] == [
        "--set rate_creates",
        "--set prot",
    ]
    assert load({"port": "1"}, {}, pairs={"port": "2"}).port == 2
