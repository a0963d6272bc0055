"""What can go wrong between cog.yaml and a Python environment.

CogyardError
└── PreparingError            the base: an environment could not be made
    ├── UnresolvableError     the packages asked for do not exist or do not fit together (the author's)
    ├── ResolvingFailedError  the resolver could not finish: the index, the network (somebody else's)
    ├── InstallingFailedError packages could not be installed
    ├── PythonMissingError    no Python of that version is here, and none could be fetched
    ├── NotDescribedError     the model's code did not load, so its inputs are not known (the author's)
    └── CacheError            the cache folder cannot be used
"""

from __future__ import annotations

from cogyard.errors import CogyardError


class PreparingError(CogyardError):
    """An environment could not be made. `details` holds the tool's own lines."""

    code = "environment_failed"

    def __init__(self, message: str, *, details: str = "", hint: str | None = None) -> None:
        """Say what could not be done; `details` are shown below it."""
        self.details = details
        super().__init__(f"{message}\n{details}" if details else message, hint=hint)


class UnresolvableError(PreparingError):
    """The packages asked for do not exist, or no versions of them fit together."""

    code = "packages_unresolvable"
    http_status = 422


class ResolvingFailedError(PreparingError):
    """The resolver could not finish its work."""

    code = "resolving_failed"


class InstallingFailedError(PreparingError):
    """Packages could not be installed."""

    code = "installing_failed"


class PythonMissingError(PreparingError):
    """No Python of the wanted version is on this machine."""

    code = "python_missing"


class NotDescribedError(PreparingError):
    """The model's code did not load in its environment, so what it takes and returns is not known."""

    code = "model_not_described"
    http_status = 422


class CacheError(PreparingError):
    """The cache folder cannot be used."""

    code = "cache_unusable"
