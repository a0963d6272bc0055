"""What can go wrong between a project and its image.

ImageError
├── DownloadError            a package could not be fetched
│   └── NotThereError        the server has no such file
├── ChecksumError            what was fetched is not what was named
├── HostilePackageError      a package that writes where it must not, or is broken
├── SourceUnreadableError    a file of the project that cannot be packed
├── NoWheelError             a locked package has nothing that runs on the target
├── BuildNotPossibleError    the project asks for something this builder cannot do
├── NeedsScriptsError        a system package that only its own scripts can set up (a BuildNotPossibleError)
├── EngineArchiveError       an engine gave back something else than it was asked for
├── BaseError                no base image can be had, with what is possible
└── DebianError              the Debian archive, a signature, or a dependency
"""

from __future__ import annotations

from cogyard.errors import CogyardError


class ImageError(CogyardError):
    """An image could not be made."""

    code = "image"


class DownloadError(ImageError):
    """A package could not be fetched."""

    code = "download"


class NotThereError(DownloadError):
    """The server says that it has no such file."""


class ChecksumError(ImageError):
    """What came is not what the lock or the archive's index names."""

    code = "checksum"


class HostilePackageError(ImageError):
    """A package is broken, or wants to write outside its folder."""

    code = "package_broken"


class SourceUnreadableError(ImageError):
    """A file of the project cannot be read, or changed while it was."""

    code = "source_unreadable"


class NoWheelError(ImageError):
    """A locked package has nothing that runs on the target."""

    code = "no_wheel"


class BuildNotPossibleError(ImageError):
    """The project asks for something that the direct builder cannot do."""

    code = "build_not_possible"
    exit_status = 2


class NeedsScriptsError(BuildNotPossibleError):
    """A system package sets itself up by scripts, which only a container engine can run."""

    code = "needs_scripts"


class EngineArchiveError(ImageError):
    """A container engine gave back something else than it was asked for."""

    code = "engine_archive"


class BaseError(ImageError):
    """There is no base image with what the model needs."""

    code = "base"


class DebianError(ImageError):
    """The Debian archive does not give what the base needs."""

    code = "debian"
