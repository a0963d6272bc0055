"""What a model's author imports.

Names are loaded when first used, so that `import cog` costs a few milliseconds and nothing beyond the names used is
ever loaded into the model's process.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import AsyncIterator as AsyncConcatenateIterator
    from collections.abc import Iterator as ConcatenateIterator

    from cog.coder import Coder as Coder
    from cog.errors import CancelationException as CancelationException
    from cog.errors import CogError as CogError
    from cog.file import File as File
    from cog.file import URLFile as URLFile
    from cog.input import FieldInfo as FieldInfo
    from cog.input import Input as Input
    from cog.model import BaseModel as BaseModel
    from cog.opaque import Opaque as Opaque
    from cog.path import Path as Path
    from cog.path import URLPath as URLPath
    from cog.predictor import BasePredictor as BasePredictor
    from cog.predictor import BaseRunner as BaseRunner
    from cog.scope import Scope as Scope
    from cog.scope import current_scope as current_scope
    from cog.scope import emit_metric as emit_metric
    from cog.scope import record_metric as record_metric
    from cog.secret import Secret as Secret
    from cog.traits import batched as batched
    from cog.traits import concurrent as concurrent
    from cog.traits import idempotent as idempotent
    from cog.traits import streaming as streaming
    from cog.warnings import ExperimentalFeatureWarning as ExperimentalFeatureWarning

__version__ = "0.1.0"

_HOMES = {
    "AsyncConcatenateIterator": "iterators",
    "BaseModel": "model",
    "BasePredictor": "predictor",
    "BaseRunner": "predictor",
    "CancelationException": "errors",
    "Coder": "coder",
    "CogError": "errors",
    "ConcatenateIterator": "iterators",
    "ExperimentalFeatureWarning": "warnings",
    "FieldInfo": "input",
    "File": "file",
    "Input": "input",
    "Opaque": "opaque",
    "Path": "path",
    "Scope": "scope",
    "Secret": "secret",
    "URLFile": "file",
    "URLPath": "path",
    "batched": "traits",
    "concurrent": "traits",
    "current_scope": "scope",
    "emit_metric": "scope",
    "idempotent": "traits",
    "record_metric": "scope",
    "streaming": "traits",
}

__all__ = [
    "AsyncConcatenateIterator",
    "BaseModel",
    "BasePredictor",
    "BaseRunner",
    "CancelationException",
    "Coder",
    "CogError",
    "ConcatenateIterator",
    "ExperimentalFeatureWarning",
    "FieldInfo",
    "File",
    "Input",
    "Opaque",
    "Path",
    "Scope",
    "Secret",
    "URLFile",
    "URLPath",
    "__version__",
    "batched",
    "concurrent",
    "current_scope",
    "emit_metric",
    "idempotent",
    "record_metric",
    "streaming",
]


def __getattr__(name: str) -> object:
    """Load the module that holds `name`, once."""
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'cog' has no attribute {name!r}")
    # __import__ instead of importlib.import_module: importlib is a millisecond of its own.
    value: object = getattr(__import__(f"cog.{home}", fromlist=(name,)), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
