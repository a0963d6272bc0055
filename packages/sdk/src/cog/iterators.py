"""Return types that say: join the pieces.

Type checkers see collections.abc.Iterator and AsyncIterator instead (cog/__init__.py), because only those are valid
return types of generator functions.
"""

from __future__ import annotations

import types

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class ConcatenateIterator:
    """An iterator whose pieces of text form one text: `-> ConcatenateIterator[str]`."""

    __slots__ = ()
    __class_getitem__: Any = classmethod(types.GenericAlias)


class AsyncConcatenateIterator:
    """The same for `async def` predictors: `-> AsyncConcatenateIterator[str]`."""

    __slots__ = ()
    __class_getitem__: Any = classmethod(types.GenericAlias)
