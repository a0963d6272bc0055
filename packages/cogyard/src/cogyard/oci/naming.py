"""Which image of the local store somebody means: by name, by digest, or by how its digest begins. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping

from cogyard.oci.descriptor import Descriptor
from cogyard.oci.errors import ImageAmbiguousError, ImageNotFoundError
from cogyard.oci.reference import DEFAULT_HOST, Reference

_ALGORITHM = "sha256"
#: Fewer hex digits are rather a short name; `cog images` shows twelve.
_BEGINNING = re.compile(r"[0-9a-f]{4,64}")


def meant(names: Mapping[str, Descriptor], reference: Reference) -> tuple[str, Descriptor]:
    """Return the name, as it is kept, and what it stands for; a name comes before a digest that begins like it.

    Raises ImageNotFoundError, and ImageAmbiguousError where several images' digests begin so.
    """
    said = reference.familiar
    if said in names:
        return said, names[said]
    beginning = reference.digest or _beginning(reference)
    fits = {} if beginning is None else {n: d for n, d in names.items() if d.digest.startswith(beginning)}
    if len({each.digest for each in fits.values()}) > 1:
        raise ImageAmbiguousError(
            f"the digests of {len(fits)} images begin with {_shown(beginning)}: {', '.join(sorted(fits)[:10])}",
            hint="Say more of it, or a name.",
        )
    for name in sorted(fits):
        return name, fits[name]
    raise ImageNotFoundError(
        f"there is no image {said!r} in the local store",
        hint="`cog images` lists what there is; `cog build -t NAME` makes one.",
    )


def _beginning(reference: Reference) -> str | None:
    """Return how the digest begins when the name may be meant so: `f751fca6dfb4`, or `sha256:f751fca6dfb4`."""
    if reference.host != DEFAULT_HOST:
        return None
    name = reference.repository.removeprefix("library/")
    text = reference.tag if name == _ALGORITHM else name if reference.tag == "latest" else None
    return f"{_ALGORITHM}:{text}" if text is not None and _BEGINNING.fullmatch(text) else None


def _shown(beginning: str | None) -> str:
    return (beginning or "").removeprefix(f"{_ALGORITHM}:")[:20]
