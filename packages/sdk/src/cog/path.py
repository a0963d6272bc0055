"""`Path`: a file that comes in or goes out."""

from __future__ import annotations

import pathlib

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class Path(pathlib.PosixPath):
    """A path on the local disk.

    As an input it is there before predict() is called; as an output the file is sent when predict() returns it.
    """

    # Python before 3.12 builds a pathlib object in __new__, later ones in __init__: no __slots__ and no __init__ here.

    @classmethod
    def validate(cls, value: Any) -> Path:
        """Return `value` as a Path; what pydantic calls for a field of this type."""
        return value if isinstance(value, cls) else cls(value)

    @classmethod
    def __get_pydantic_core_schema__(cls, _source: Any, _handler: Any) -> Any:
        from pydantic_core import core_schema  # type: ignore[import-not-found,unused-ignore]

        return core_schema.no_info_plain_validator_function(cls.validate)


class URLPath(Path):
    """A file given by address that is fetched when it is first needed.

    The model server fetches inputs before predict(), so this appears only where a default or COG_WEIGHTS is a URL.
    Call `convert()` for a Path on the local disk.
    """

    #: The address; empty for a path made from this one.
    source: str = ""

    @classmethod
    def of(cls, source: str, *, folder: str | None = None) -> URLPath:
        """Return the path at which the file at `source` will be, in `folder` or the temporary folder."""
        from urllib.parse import unquote, urlsplit

        name = pathlib.PurePosixPath(unquote(urlsplit(source).path)).name or "file"
        if folder is None:
            import tempfile

            folder = tempfile.mkdtemp(prefix="cog-")
        path = cls(folder, name[-100:])
        path.source = source
        return path

    def convert(self) -> Path:
        """Fetch the file unless that has been done, and return its path. Raises OSError when it can't be had."""
        if self.source and not self.exists():
            from cog.fetch import fetch

            fetch(self.source, str(self))
        return Path(self)
