"""Where Debian's archive is, as this machine or the person says."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from debian.deb822 import Deb822

from cogyard.image.errors import DebianError

SETTING = "COGYARD_DEBIAN_MIRROR"
SECURITY_SETTING = "COGYARD_DEBIAN_SECURITY_MIRROR"
_CODENAMES = frozenset(
    {"buster", "bullseye", "bookworm", "trixie", "forky", "duke", "stable", "testing", "sid"}
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Mirror:
    """Addresses of the archive and, where known, of its security updates; without a slash at the end."""

    main: str
    security: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Source:
    """One address that apt is configured with."""

    uri: str
    suites: tuple[str, ...]
    components: tuple[str, ...]


def find_mirror(
    environment: Mapping[str, str],
    apt: Path = Path("/etc/apt"),
    own: Iterable[tuple[str, str]] = (),
) -> Mirror:
    """Return the mirror from the setting, else from this machine's apt, else from the base's `own` lists.

    Raises DebianError saying what to set.
    """
    if setting := environment.get(SETTING):
        security = environment.get(SECURITY_SETTING)
        return Mirror(main=setting.rstrip("/"), security=security.rstrip("/") if security else None)
    found = choose(read_sources(apt)) or choose(_sources_of(own))
    if found is None:
        raise DebianError(
            "no Debian mirror is known on this machine",
            hint=f"Set {SETTING} to the address of one, the part before /dists.",
        )
    return found


def choose(sources: Iterable[Source]) -> Mirror | None:
    """Return the first Debian archive among apt's sources, and its security archive."""
    main = security = None
    for source in sources:
        names = {suite.removesuffix("/updates").partition("-")[0] for suite in source.suites}
        if not names <= _CODENAMES or "main" not in source.components:
            continue
        if all("security" in suite or suite.endswith("/updates") for suite in source.suites):
            security = security or source.uri
        elif any("-" not in suite for suite in source.suites):
            main = main or source.uri
    return Mirror(main=main, security=security) if main else None


def read_sources(apt: Path) -> list[Source]:
    """Return apt's http(s) sources, from both of its file formats."""
    files = [apt / "sources.list", *sorted((apt / "sources.list.d").glob("*"))]
    texts = []
    for path in files:
        with suppress(OSError):
            texts.append((path.name, path.read_text("utf-8", "replace")))
    return _sources_of(texts)


def _sources_of(files: Iterable[tuple[str, str]]) -> list[Source]:
    found: list[Source] = []
    for name, text in files:
        if name.endswith(".sources"):
            found.extend(_deb822(text))
        elif name.endswith(".list"):
            found.extend(_lines(text))
    return found


def _deb822(text: str) -> Iterable[Source]:
    for paragraph in Deb822.iter_paragraphs(text, use_apt_pkg=False):
        if "deb" not in paragraph.get("Types", "").split():
            continue
        if paragraph.get("Enabled", "yes").lower() in {"no", "false", "0"}:
            continue
        suites = tuple(paragraph.get("Suites", "").split())
        components = tuple(paragraph.get("Components", "").split())
        yield from (
            Source(uri=uri.rstrip("/"), suites=suites, components=components)
            for uri in paragraph.get("URIs", "").split()
            if uri.startswith(("http://", "https://"))
        )


def _lines(text: str) -> Iterable[Source]:
    for line in text.splitlines():
        words = line.partition("#")[0].split()
        if not words or words[0] != "deb":
            continue
        if len(words) > 1 and words[1].startswith("["):
            end = next((at for at, word in enumerate(words) if word.endswith("]")), len(words))
            words = ["deb", *words[end + 1 :]]
        if len(words) >= 4 and words[1].startswith(("http://", "https://")):
            yield Source(uri=words[1].rstrip("/"), suites=(words[2],), components=tuple(words[3:]))
