"""What pages need to show charts."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request

from cogyard.domain.usage import Span
from cogyard.features.page import services_of
from cogyard.features.usage.ports import About


async def charts(request: Request, about: About) -> dict[str, Any]:
    """Return what the template of the charts needs, over the span that the address says."""
    said = request.query_params.get("span", "")
    span = Span(said) if said in set(Span) else Span.DAY
    columns = await services_of(request).usage.of(about, span)
    return {
        "columns": columns,
        "span": span,
        "spans": tuple(Span),
        "of_account": about.account_id is not None,
    }
