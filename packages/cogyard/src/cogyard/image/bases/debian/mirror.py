"""Where Debian's or Ubuntu's archive is, as this machine, the base or the person says."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from debian.deb822 import Deb822

from cogyard.image.errors import DebianError

SETTING = "COGYARD_DEBIAN_MIRROR"
SECURITY_SETTING = "COGYARD_DEBIAN_SECURITY_MIRROR"
UBUNTU_SETTING = "COGYARD_UBUNTU_MIRROR"
UBUNTU_PORTS_SETTING = "COGYARD_UBUNTU_PORTS_MIRROR"
#: What is taken of Ubuntu's archive where no list of apt says: `main`, and what its community keeps.
UBUNTU_COMPONENTS = ("main", "universe")
_CODENAMES = frozenset(
    {"buster", "bullseye", "bookworm", "trixie", "forky", "duke", "stable", "testing", "sid"}
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Mirror:
    """Addresses of the archive and, where known, of its security updates; without a slash at the end."""

    main: str
    security: str | None = None
    components: tuple[str, ...] = ("main",)


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


def ubuntu_mirror(setting: str | None, codename: str, own: Iterable[tuple[str, str]]) -> Mirror | None:
    """Return the mirror of a release of Ubuntu, with what the base's `own` lists take from it; None when none is named.

    Its address is the setting's, else the one in those lists: another machine's may not have the base's architecture.
    """
    sources = _whole(_sources_of(own), {codename})
    taken = {each for one in sources if codename in one.suites for each in one.components}
    components = tuple(sorted(taken)) if "main" in taken else UBUNTU_COMPONENTS
    if setting:
        address = setting.rstrip("/")
        return Mirror(main=address, security=address, components=components)
    found = choose(sources, frozenset({codename}))
    return replace(found, components=components) if found is not None else None


def machine_mirror(apt: Path, codenames: Iterable[str]) -> tuple[str, Mirror] | None:
    """Return the release of Ubuntu that this machine's apt takes packages of, and from where; None on others."""
    sources = read_sources(apt)
    for codename in codenames:
        found = choose(_whole(sources, {codename}), frozenset({codename}))
        if found is not None:
            return codename, replace(found, components=UBUNTU_COMPONENTS)
    return None


def _whole(sources: Iterable[Source], codenames: set[str]) -> list[Source]:
    """Return the sources that are the archive itself.

    Others offer a few packages for the same release; only the archive has updates beside it.
    """
    listed = list(sources)
    pockets = {f"{name}-{pocket}" for name in codenames for pocket in ("updates", "security")}
    whole = {each.uri for each in listed if pockets & {*each.suites}}
    return [each for each in listed if each.uri in whole]


def choose(sources: Iterable[Source], codenames: frozenset[str] = _CODENAMES) -> Mirror | None:
    """Return the first archive of releases with these names among apt's sources, and its security archive."""
    main = security = None
    for source in sources:
        names = {suite.removesuffix("/updates").partition("-")[0] for suite in source.suites}
        if not names <= codenames or "main" not in source.components:
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
