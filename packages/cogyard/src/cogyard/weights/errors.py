"""What can go wrong with weights.

WeightsError
├── SourceError           where they come from is not there, or holds what the format forbids
├── ArtifactInvalidError  an artifact that does not keep to the format
├── LockInvalidError      weights.lock cannot be read
├── NotImportedError      cog.yaml and weights.lock do not say the same
├── FilesMissingError     files are not on this machine
└── PlaceTakenError       something else is where the weights belong
"""

from __future__ import annotations

from cogyard.errors import CogyardError


class WeightsError(CogyardError):
    """Weights could not be imported, sent, fetched or put in place."""

    code = "weights"


class SourceError(WeightsError):
    """The source is not there, or holds something that is not a file."""

    code = "weights_source"


class ArtifactInvalidError(WeightsError):
    """Somebody's artifact says what cannot be, or does not hold what it says."""

    code = "weights_artifact_invalid"
    http_status = 400


class LockInvalidError(WeightsError):
    """The file weights.lock is not one."""

    code = "weights_lock_invalid"


class NotImportedError(WeightsError):
    """What cog.yaml declares has not been imported as it stands there."""

    code = "weights_not_imported"


class FilesMissingError(WeightsError):
    """Files are not on this machine."""

    code = "weights_missing"


class PlaceTakenError(WeightsError):
    """Where the weights belong there is something else."""

    code = "weights_place_taken"
