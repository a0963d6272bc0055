"""What a setting's value may be: each function returns it parsed, or raises ValueError that ends a sentence."""

from __future__ import annotations

import ipaddress
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


def parse_text(value: Any) -> str:
    """Take a text that is not empty, without space around it."""
    if not isinstance(value, str) or not value.strip():
        raise ValueError("must be a text")
    return value.strip()


def parse_secret(value: Any) -> str:
    """Take a text that opens something."""
    text = parse_text(value)
    if not re.fullmatch(r"[!-~]{16,200}", text):
        raise ValueError("must be 16 to 200 characters of ASCII without spaces")
    return text


def whole(low: int, high: int) -> Callable[[Any], int]:
    """Return what takes whole numbers between two bounds."""

    def parse(value: Any) -> int:
        if isinstance(value, bool) or not re.fullmatch(r"-?[0-9]{1,15}", str(value)):
            raise ValueError("must be a whole number")
        if not low <= int(value) <= high:
            raise ValueError(f"must be from {low} to {high}")
        return int(value)

    return parse


def parse_seconds(value: Any) -> float:
    """Take a number of seconds."""
    try:
        number = float(value) if not isinstance(value, bool) else -1.0
    except (TypeError, ValueError):
        number = -1.0
    if not 0 < number <= 10 * 365 * 86400:
        raise ValueError("must be a number of seconds above 0")
    return number


def parse_truth(value: Any) -> bool:
    """Take true or false, in any of the usual words."""
    known = {
        "1": True,
        "true": True,
        "yes": True,
        "on": True,
        "0": False,
        "false": False,
        "no": False,
        "off": False,
    }
    if str(value).lower() not in known:
        raise ValueError("must be true or false")
    return known[str(value).lower()]


def parse_path(value: Any) -> Path:
    """Take a path, made absolute."""
    text = os.fspath(value) if isinstance(value, str | os.PathLike) else ""
    if not text:
        raise ValueError("must be a path")
    return Path(text).expanduser().absolute()


def one_of(*words: str) -> Callable[[Any], str]:
    """Return what takes these words alone."""

    def parse(value: Any) -> str:
        if value not in words:
            raise ValueError(f"must be one of {', '.join(words)}")
        return str(value)

    return parse


def parse_address(value: Any) -> str:
    """An address that others reach the platform at."""
    parts = urlsplit(parse_text(value))
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.query or parts.fragment:
        raise ValueError("must be an address such as https://models.example.com")
    if "@" in parts.netloc:
        raise ValueError("must not hold a user name or password: it begins every address that is given out")
    if parts.path not in {"", "/"}:
        raise ValueError("must not have a path: the platform answers at the root of a host")
    return f"{parts.scheme}://{parts.netloc}"


def parse_folders(value: Any) -> tuple[Path, ...]:
    """Take a list of folders, or one text with colons."""
    words = value.split(os.pathsep) if isinstance(value, str) else value
    if not isinstance(words, list | tuple):
        raise ValueError("must be a list of folders")  # noqa: TRY004 - as every other problem of a value
    return tuple(parse_path(word) for word in words if str(word).strip())


def parse_hosts(value: Any) -> tuple[str, ...]:
    """Take a list of hosts, or one text with commas."""
    words = value.split(",") if isinstance(value, str) else value
    if not isinstance(words, list | tuple):
        raise ValueError("must be a list of host:port")  # noqa: TRY004 - as every other problem of a value
    hosts = tuple(str(word).strip() for word in words if str(word).strip())
    for host in hosts:
        if not re.fullmatch(r"[A-Za-z0-9.\-]+(:[0-9]{1,5})?|\[[0-9a-fA-F:]+\](:[0-9]{1,5})?", host):
            raise ValueError(f"must be a list of host:port; {host!r:.60} is not one")
    return hosts


def parse_networks(value: Any) -> tuple[Network, ...]:
    """Take a list of addresses and networks, or one text with commas."""
    words = value.split(",") if isinstance(value, str) else value
    if not isinstance(words, list | tuple):
        raise ValueError("must be a list of addresses")  # noqa: TRY004 - as every other problem of a value
    found: list[Network] = []
    for word in (str(word).strip() for word in words):
        try:
            found.append(ipaddress.ip_network(word, strict=False))
        except ValueError:
            raise ValueError(
                f"must be a list of addresses or networks such as 10.0.0.0/8; {word!r:.60} is none"
            ) from None
    return tuple(found)
