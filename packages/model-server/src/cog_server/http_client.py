"""The HTTP client library: httpx2, or its predecessor httpx where Python is too old for it. They agree in all we use.

Import it inside of functions: it is loaded when the first URL is seen.
"""

from __future__ import annotations

import sys

if sys.version_info >= (3, 11):
    import httpx2 as httpx
else:
    import httpx

__all__ = ["httpx"]
