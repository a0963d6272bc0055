"""Which image of the local store is meant."""

from __future__ import annotations

import pytest
from cogyard.oci.descriptor import MANIFEST, Descriptor
from cogyard.oci.errors import ImageAmbiguousError, ImageNotFoundError
from cogyard.oci.naming import meant
from cogyard.oci.reference import Reference


def of(start: str) -> Descriptor:
    """Return the descriptor of an image whose digest begins so."""
    return Descriptor(media_type=MANIFEST, digest=f"sha256:{start:0<64}", size=1)


NAMES = {
    "one:latest": of("f751a"),
    "same:v1": of("f751a"),
    "other:latest": of("f751b"),
    "127.0.0.1:80/me/third:latest": of("c0ffee"),
    "abcd:latest": of("dead"),
    "fifth:latest": of("abcd"),
}


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("one", "one:latest"),
        ("same:v1", "same:v1"),
        ("f751a", "one:latest"),
        ("sha256:f751b", "other:latest"),
        ("c0ff", "127.0.0.1:80/me/third:latest"),
        (f"whatever@{of('c0ffee').digest}", "127.0.0.1:80/me/third:latest"),
        ("abcd", "abcd:latest"),
        ("sha256:abcd", "fifth:latest"),
    ],
)
def test_an_image_is_meant_by_its_name_or_by_how_its_digest_begins(text: str, name: str) -> None:
    """As `cog images` shows both; a name wins, and the name that is kept is what is given back."""
    assert meant(NAMES, Reference.parse(text)) == (name, NAMES[name])


@pytest.mark.parametrize(
    "text", ["nope", "f75", "f751c", "f751a:latest2", "127.0.0.1:80/f751a", "me/f751a", "sha256:xyz"]
)
def test_what_nothing_begins_with_is_told(text: str) -> None:
    """Also what is too short to be a digest's beginning, or is a name with an owner or a tag."""
    with pytest.raises(ImageNotFoundError):
        meant(NAMES, Reference.parse(text))


def test_two_images_may_be_meant() -> None:
    """The names are said, so that one can be taken."""
    with pytest.raises(ImageAmbiguousError) as caught:
        meant(NAMES, Reference.parse("f751"))
    assert (
        caught.value.message == "the digests of 3 images begin with f751: one:latest, other:latest, same:v1"
    )
