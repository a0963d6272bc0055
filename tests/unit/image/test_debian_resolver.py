"""Choosing Debian packages: alternatives, virtual packages, versions, conflicts, what is installed already."""

from __future__ import annotations

import pytest
from cogyard.image.bases.debian import dpkg
from cogyard.image.bases.debian.index import Relation, Universe
from cogyard.image.bases.debian.resolver import Installed, needed_by, resolve
from cogyard.image.errors import DebianError


def universe(*stanzas: str) -> Universe:
    """Return an archive of packages written `name version; Field: value; …`."""
    found = Universe()
    for text in stanzas:
        head, *fields = text.split("; ")
        name, _, version = head.partition(" ")
        stanza = "\n".join(
            [
                f"Package: {name}",
                f"Version: {version or '1.0'}",
                "Architecture: amd64",
                *fields,
                f"Filename: pool/{name}_{version or '1.0'}.deb",
                f"SHA256: {'0' * 64}",
                "Size: 10",
            ]
        )
        found.add(stanza.encode(), "http://mirror.example")
    return found


def chosen(wishes: list[str], archive: Universe, installed: Installed | None = None) -> list[str]:
    """Return `name version` of what is chosen."""
    return [f"{each.name} {each.version}" for each in resolve(wishes, archive, installed)]


def test_dependencies_are_followed_to_the_end() -> None:
    """Depends and Pre-Depends, through cycles, in the order of the names."""
    archive = universe("a; Depends: b, c", "b; Pre-Depends: d", "c; Depends: a", "d", "e")
    assert chosen(["a"], archive) == ["a 1.0", "b 1.0", "c 1.0", "d 1.0"]


def test_the_first_alternative_that_can_be_had_is_taken() -> None:
    """An alternative that does not exist is passed over, and one chosen already settles it."""
    assert chosen(["a"], universe("a; Depends: gone | b | c", "b", "c")) == ["a 1.0", "b 1.0"]
    assert chosen(["c", "a"], universe("a; Depends: b | c", "b", "c")) == ["a 1.0", "c 1.0"]


def test_virtual_packages_are_provided() -> None:
    """A name that only others provide is met, and with a version only by a versioned Provides."""
    archive = universe("a; Depends: mail", "postfix; Provides: mail", "exim; Provides: mail")
    assert chosen(["a"], archive) == ["a 1.0", "exim 1.0"]
    assert chosen(["a"], universe("a; Depends: v (>= 2)", "p; Provides: v (= 3)")) == ["a 1.0", "p 1.0"]
    with pytest.raises(DebianError):
        chosen(["a"], universe("a; Depends: v (>= 2)", "p; Provides: v"))


def test_the_newest_version_is_taken_and_bounds_hold() -> None:
    """Debian's version order counts: epochs and tildes."""
    archive = universe("a 1.9", "a 1:1.0", "a 2.0~rc1", "b; Depends: a (<< 2.0)")
    assert chosen(["a"], archive) == ["a 1:1.0"]
    assert chosen(["b"], archive) == ["a 2.0~rc1", "b 1.0"]
    assert chosen(["a=1.9"], archive) == ["a 1.9"]


def test_an_architecture_qualifier_is_understood() -> None:
    """`python3:any` means python3."""
    assert chosen(["a"], universe("a; Depends: p:any", "p")) == ["a 1.0", "p 1.0"]


def test_what_is_installed_is_not_chosen_again() -> None:
    """Installed packages and what they provide meet dependencies."""
    archive = universe("a; Depends: libc, mail", "libc 2.0", "postfix; Provides: mail")
    have = Installed(versions={"libc": "1.0", "exim": "1"}, provides={"exim": (Relation(name="mail"),)})
    assert chosen(["a"], archive, have) == ["a 1.0"]
    assert chosen(["libc"], archive, have) == []


@pytest.mark.parametrize(
    ("stanzas", "words"),
    [
        (["x"], "no package 'a'"),
        (["a; Depends: b"], "nothing for b, which a needs"),
        (["a; Depends: b", "b; Depends: c", "c; Depends: gone"], "a → b → c"),
        (["a; Depends: b, c", "b", "c; Conflicts: b"], "conflicts with b"),
        (["a; Depends: b, c", "b", "c; Breaks: b (<< 2)"], "conflicts with b"),
        (["a; Depends: libc (>= 2)", "libc 2.0"], "does not go with libc 1.0"),
    ],
)
def test_what_cannot_be_met_is_named_with_who_wants_it(stanzas: list[str], words: str) -> None:
    """The message says the package, the wish, and the chain that leads to it."""
    with pytest.raises(DebianError) as caught:
        chosen(["a"], universe(*stanzas), Installed(versions={"libc": "1.0"}))
    assert words in caught.value.message


def test_a_breaks_that_does_not_apply_is_no_conflict() -> None:
    """A bound that the chosen version is beyond is no reason to refuse."""
    assert chosen(["a"], universe("a; Depends: b; Breaks: b (<< 1)", "b")) == ["a 1.0", "b 1.0"]


@pytest.mark.parametrize(
    "filename", ["../../etc/x.deb", "pool/../x.deb", "pool/x.exe", "http://evil.example/x\n.deb"]
)
def test_a_hostile_index_is_refused(filename: str) -> None:
    """An address in the index is a plain path under the mirror."""
    archive = Universe()
    stanza = f"Package: a\nVersion: 1\nArchitecture: amd64\nFilename: {filename}\nSHA256: {'0' * 64}\nSize: 1"
    archive.add(stanza.encode(), "http://mirror.example")
    with pytest.raises(DebianError):
        resolve(["a"], archive)


def test_dpkgs_status_says_what_is_installed() -> None:
    """Only packages that are installed count, not those removed with their configuration left."""
    status = (
        "Package: libc6\nStatus: install ok installed\nArchitecture: arm64\nVersion: 2.36\n\n"
        "Package: gone\nStatus: deinstall ok config-files\nArchitecture: arm64\nVersion: 1\n\n"
        "Package: exim\nStatus: install ok installed\nArchitecture: all\nVersion: 4\nProvides: mail, smtp (= 2)\n"
    )
    have = dpkg.installed(status)
    assert have.versions == {"libc6": "2.36", "exim": "4"}
    assert have.meets(Relation(name="mail"))
    assert have.meets(Relation(name="smtp", operator=">=", version="1"))
    assert not have.meets(Relation(name="gone"))
    assert dpkg.architecture(status) == "arm64"


def test_a_name_that_there_is_not_brings_those_like_it() -> None:
    """A slip of the finger, a name that newer releases have given up, and one that nothing is like."""
    archive = universe("libsndfile1", "libsndfile1-dev", "libgl1", "ffmpeg")
    hints = []
    for name in ("libsndfile2", "libgl1-mesa-glx", "fmpeg"):
        with pytest.raises(DebianError) as caught:
            resolve([name], archive)
        hints.append(caught.value.hint or "")
    assert hints[0].startswith("Did you mean libsndfile1")
    assert hints[1] == "Newer releases have libgl1 in its place."
    assert hints[2].startswith("Check the spelling")


def test_who_needs_a_package_is_told_from_the_wish_on() -> None:
    """Whoever asked for `a` learns why a package they never named is in the way, also through what is provided."""
    archive = universe(
        "a; Depends: b, mail", "b; Depends: c", "c", "postfix; Provides: mail; Depends: d", "d"
    )
    packages = resolve(["a"], archive)
    told = {name: needed_by(name, ["a=1.0"], packages) for name in ("a", "b", "c", "d", "gone")}
    assert told == {
        "a": "",
        "b": ", which a needs",
        "c": ", which b needs (a → b)",
        "d": ", which postfix needs (a → postfix)",
        "gone": "",
    }
