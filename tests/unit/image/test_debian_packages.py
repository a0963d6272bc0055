"""Debian packages unpacked into a layer: merged paths, dpkg's records, and nothing outside the root."""

from __future__ import annotations

import gzip
import io
import stat
import tarfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from cogyard.image.bases.debian import dpkg, finish, scripts
from cogyard.image.bases.debian.deb import open_deb
from cogyard.image.bases.debian.tree import Tree
from cogyard.image.errors import HostilePackageError
from cogyard.oci.layer import LayerWriter

MakeDeb = Callable[..., Path]


def member(name: str, kind: bytes = tarfile.REGTYPE, target: str = "") -> tarfile.TarInfo:
    """Return a tar member of a package's data."""
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info


@contextmanager
def unpacked(*debs: Path) -> Iterator[Tree]:
    """Give a finished tree of packages."""
    with Tree() as tree:
        tree.merge_links()
        found = []
        for path in debs:
            with open_deb(path, path.stem) as deb:
                found.append(tree.unpack(deb, path.stem))
        finish.finish(tree)
        dpkg.record(tree, found)
        yield tree


def layer_from(*debs: Path) -> dict[str, tarfile.TarInfo]:
    """Return the members of the layer that packages make."""
    with unpacked(*debs) as tree:
        return layer_of(tree)


def layer_of(tree: Tree) -> dict[str, tarfile.TarInfo]:
    """Return the members of the tree's layer."""
    sink = io.BytesIO()
    layer = LayerWriter(sink)
    tree.write(layer)
    layer.finish()
    with tarfile.open(fileobj=io.BytesIO(gzip.decompress(sink.getvalue()))) as archive:
        return {each.name: each for each in archive}


def test_paths_lie_under_usr_where_that_is_merged(make_deb: MakeDeb) -> None:
    """/lib and /bin are links, and what packages put there is found under /usr."""
    deb = make_deb(
        "demo",
        {"lib/x86_64-linux-gnu/libd.so.1": b"so", "bin/tool": b"t", "etc/demo.conf": b"c", "opt/x": b""},
    )
    found = layer_from(deb)
    assert {"usr/lib/x86_64-linux-gnu/libd.so.1", "usr/bin/tool", "etc/demo.conf", "opt/x"} <= set(found)
    assert found["lib"].linkname == "usr/lib"
    assert found["bin"].linkname == "usr/bin"


def test_links_of_a_merged_usr_replace_nothing(make_deb: MakeDeb) -> None:
    """A package that brings /bin as a link, as base-files does, leaves the folder it means as it is."""
    first = make_deb("tools", {"usr/bin/tool": b"t"})
    second = make_deb(
        "zbase", {"usr/share/x": b""}, links={"bin": "usr/bin", "lib64": "usr/lib64", "usr/bin": "/x"}
    )
    found = layer_from(first, second)
    assert found["usr/bin"].isdir()
    assert (found["bin"].linkname, found["lib64"].linkname) == ("usr/bin", "usr/lib64")


def test_documentation_is_left_out_but_for_copyright(make_deb: MakeDeb) -> None:
    """Manuals and translations do not fill images; licences stay."""
    names = ["usr/share/doc/demo/copyright", "usr/share/doc/demo/changelog.gz", "usr/share/man/man1/x.1.gz"]
    found = layer_from(make_deb("demo", dict.fromkeys(names, b"x")))
    assert [name for name in names if name in found] == names[:1]


def test_special_bits_go_and_owners_are_root(make_deb: MakeDeb) -> None:
    """No set-user-id programs come into an image."""
    found = layer_from(make_deb("demo", {"usr/bin/su": b"x"}))
    assert stat.S_IMODE(found["usr/bin/su"].mode) == 0o755
    assert {(each.uid, each.gid, each.mtime) for each in found.values()} == {(0, 0, 0)}


@pytest.mark.parametrize(
    "bad",
    [
        member("../../etc/passwd"), member("/etc/passwd"), member("./a/../../b"),
        member("./dev/sda", tarfile.BLKTYPE), member("./x", tarfile.LNKTYPE, "../../etc/shadow"),
    ],
)  # fmt: skip
def test_a_package_that_leaves_the_root_is_refused(make_deb: MakeDeb, bad: tarfile.TarInfo) -> None:
    """Neither paths nor devices nor links get out."""
    with pytest.raises(HostilePackageError):
        layer_from(make_deb("demo", members=(bad,)))


def test_two_packages_with_one_file_are_refused(make_deb: MakeDeb) -> None:
    """Dpkg would refuse, so do we, naming both."""
    with pytest.raises(HostilePackageError) as caught:
        layer_from(make_deb("one", {"usr/x": b"1"}), make_deb("two", {"usr/x": b"2"}))
    assert "one" in caught.value.message
    assert "two" in caught.value.message


def test_what_is_no_package_is_refused(tmp_path: Path) -> None:
    """Any other file is named as what it is not."""
    path = tmp_path / "x.deb"
    path.write_bytes(b"!<arch>\nnothing")
    with pytest.raises(HostilePackageError), open_deb(path, "x"):
        pass


def test_dpkg_knows_what_is_installed(make_deb: MakeDeb) -> None:
    """Status, file lists, conffiles with their checksums and scripts are where dpkg keeps them."""
    deb = make_deb(
        "libdemo",
        {"etc/demo.conf": b"hello"},
        control="Multi-Arch: same\nProvides: virtual\n",
        scripts={"conffiles": "/etc/demo.conf\n", "postinst": "#!/bin/sh\n"},
    )
    with unpacked(deb) as tree:
        status = tree.read("var/lib/dpkg/status").decode()
        assert "Package: libdemo\nStatus: install ok installed\n" in status
        assert "Conffiles:\n /etc/demo.conf 5d41402abc4b2a76b9719d911017c592" in status
        assert tree.read("var/lib/dpkg/info/libdemo:amd64.list") == b"/.\n/etc/demo.conf\n"
        assert "var/lib/dpkg/info/libdemo:amd64.postinst" in tree
        assert dpkg.installed(status).versions == {"libdemo": "1.0"}


def test_a_layer_above_keeps_what_the_base_has(make_deb: MakeDeb) -> None:
    """The status of a system layer is the base's and its own."""
    base = "Package: libc6\nStatus: install ok installed\nArchitecture: amd64\nVersion: 2.36\n\n"
    with Tree() as tree, open_deb(make_deb("demo"), "demo") as deb:
        dpkg.record(tree, [tree.unpack(deb, "demo")], before=base)
        status = tree.read("var/lib/dpkg/status").decode()
    assert dpkg.installed(status).versions == {"demo": "1.0", "libc6": "2.36"}


def test_the_base_is_finished_without_running_anything(make_deb: MakeDeb) -> None:
    """Accounts, certificates, the shell and the folders that programs expect are made."""
    deb = make_deb(
        "base",
        {
            "usr/share/base-passwd/passwd.master": b"root:*:0:0\n",
            "usr/share/base-passwd/group.master": b"root:*:0:\n",
            "usr/share/ca-certificates/mozilla/B.crt": b"BBB",
            "usr/share/ca-certificates/mozilla/A.crt": b"AAA\n",
            "etc/dpkg/origins/ubuntu": b"Vendor: Ubuntu\n",
        },
    )
    with unpacked(deb) as tree:
        assert tree.read("etc/passwd") == b"root:*:0:0\n_apt:x:42:65534::/nonexistent:/usr/sbin/nologin\n"
        assert tree.read("etc/ssl/certs/ca-certificates.crt") == b"AAA\nBBB\n"
        found = layer_of(tree)
    assert found["usr/bin/sh"].linkname == "dash"
    assert found["etc/dpkg/origins/default"].linkname == "ubuntu"
    assert found["tmp"].mode == 0o1777


def test_a_user_of_apt_s_that_is_there_is_kept(make_deb: MakeDeb) -> None:
    """Newer releases bring it themselves."""
    users = b"root:*:0:0\n_apt:*:42:65534::/nonexistent:/usr/sbin/nologin\n"
    deb = make_deb("base", {"usr/share/base-passwd/passwd.master": users})
    with unpacked(deb) as tree:
        assert tree.read("etc/passwd") == users


def test_what_is_left_out_is_not_missed(make_deb: MakeDeb) -> None:
    """Lists and checksums of dpkg name what is there, so that `dpkg -V` finds nothing amiss."""
    there = {"usr/bin/tool": b"1", "usr/share/doc/demo/copyright": b"c"}
    left = {"usr/share/man/man1/tool.1.gz": b"m", "usr/share/doc/demo/changelog.gz": b"n"}
    sums = "".join(f"{'a' * 32}  {path}\n" for path in {**there, **left})
    deb = make_deb("demo", {**there, **left}, scripts={"md5sums": sums})
    with unpacked(deb) as tree:
        listed = tree.read("var/lib/dpkg/info/demo.list").decode()
        summed = tree.read("var/lib/dpkg/info/demo.md5sums").decode()
    assert [line.split()[1] for line in summed.splitlines()] == list(there)
    assert set(there) <= {line[1:] for line in listed.splitlines()}
    assert not any(path in listed for path in left)


def test_the_lists_of_ucf_are_begun(make_deb: MakeDeb) -> None:
    """Its own script would do it, and every package that uses it appends to them."""
    with unpacked(make_deb("ucf", {"usr/bin/ucf": b"#!"})) as tree:
        finish.own_lists(tree)
        assert tree.matching("var/lib/ucf/.*") == ["var/lib/ucf/hashfile", "var/lib/ucf/registry"]
    with unpacked(make_deb("other")) as tree:
        finish.own_lists(tree)
        assert tree.matching("var/lib/ucf/.*") == []


def test_equal_packages_give_equal_layers(make_deb: MakeDeb) -> None:
    """The order packages come in does not change a byte, nor does the day."""
    one, two = make_deb("one", {"usr/a": b"1"}), make_deb("two", {"usr/b": b"2"})

    def digest(*debs: Path) -> str:
        with unpacked(*debs) as tree:
            layer = LayerWriter(io.BytesIO())
            tree.write(layer)
            return layer.finish().digest

    assert digest(one, two) == digest(two, one)


POSTINST = """#!/bin/sh
set -e
# Automatically added by dh_python3
py3compile -p demo
# End automatically added section
update-alternatives --quiet --install /usr/bin/js js /usr/bin/node 70 \\
    --slave /usr/share/man/js.1 js.1 /usr/share/man/node.1
case "$1" in
    configure|abort-upgrade)
    ;;
esac
exit 0
"""


def test_generated_and_idle_scripts_do_nothing() -> None:
    """Debhelper's snippets and empty branches are no reason to refuse; alternatives are found, slaves too."""
    effects = scripts.effects({"postinst": POSTINST.encode()})
    assert effects.unknown is None
    assert [(each.link, each.path, each.priority) for each in effects.alternatives] == [
        ("/usr/bin/js", "/usr/bin/node", 70),
        ("/usr/share/man/js.1", "/usr/share/man/node.1", 70),
    ]


@pytest.mark.parametrize(
    "line",
    [
        "adduser --system demo", "update-alternatives --install $link $name $path 10", "systemctl start demo",
        "mkdir -p /var/lib/demo", "if [ -x /x ]; then rm /y; fi", "# Automatically added by dh_strange\nx\n", "exit 1",
    ],
)  # fmt: skip
def test_a_script_that_does_something_is_named(line: str) -> None:
    """What is not understood is reported, so that the builder can refuse."""
    effects = scripts.effects({"postinst": f"#!/bin/sh\nset -e\n{line}\n".encode()})
    if line.startswith("#"):
        assert effects.unknown == "x"
    else:
        assert effects.unknown == line


def test_an_alternative_below_lib_leaves_that_link_alone() -> None:
    """A layer with a folder /lib would hide every library of the layers below, and the compiler finds none."""
    script = b"#!/bin/sh\nupdate-alternatives --install /lib/cpp cpp /usr/bin/cpp 10\n"
    with Tree() as tree:
        finish.alternatives(tree, scripts.effects({"postinst": script}).alternatives)
        found = layer_of(tree)
    assert found["usr/lib/cpp"].linkname == "/etc/alternatives/cpp"
    assert "lib" not in found


def test_a_loop_over_names_makes_the_alternatives_of_each() -> None:
    """As ImageMagick's programs are offered; after the loop its name means nothing any more."""
    script = """#!/bin/sh
for prog in compare convert; do
    update-alternatives --install /usr/bin/$prog $prog /usr/bin/$prog-im6 10
done
update-alternatives --install /usr/bin/$prog $prog /usr/bin/$prog-im6 10
"""
    effects = scripts.effects({"postinst": script.encode()}, reviewed=True)
    assert [(each.name, each.path) for each in effects.alternatives] == [
        ("compare", "/usr/bin/compare-im6"),
        ("convert", "/usr/bin/convert-im6"),
    ]


def test_of_several_alternatives_the_highest_priority_counts() -> None:
    """Links go by way of /etc/alternatives, as update-alternatives makes them."""
    low = scripts.Alternative(link="/usr/bin/js", name="js", path="/usr/bin/low", priority=1)
    high = scripts.Alternative(link="/usr/bin/js", name="js", path="/usr/bin/high", priority=2)
    with Tree() as tree:
        finish.alternatives(tree, [low, high, low])
        found = layer_of(tree)
    assert found["etc/alternatives/js"].linkname == "/usr/bin/high"
    assert found["usr/bin/js"].linkname == "/etc/alternatives/js"
