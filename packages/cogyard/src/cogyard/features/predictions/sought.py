"""Which predictions a list's filter asks for, read off its address."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request

from cogyard.features.predictions.ports import Stages

SOURCES = ("api", "web")
LONGEST_MODEL = 200


@dataclass(frozen=True, kw_only=True, slots=True)
class Sought:
    """What a filter says; what it says wrongly it does not say."""

    status: str = ""
    source: str = ""
    model: str = ""

    @property
    def asked(self) -> Mapping[str, Any]:
        """Return it as `Predictions.list` takes it."""
        return {
            "stages": Stages(self.status) if self.status else None,
            "source": self.source or None,
            "model": self.model or None,
        }

    @property
    def query(self) -> Mapping[str, str]:
        """Return it as the address of the rest of the list has it."""
        said = {"status": self.status, "source": self.source, "model": self.model}
        return {name: value for name, value in said.items() if value}


def sought(request: Request) -> Sought:
    """Read the filter of a list."""
    query = request.query_params
    status, source = query.get("status", ""), query.get("source", "")
    return Sought(
        status=status if status in set(Stages) else "",
        source=source if source in SOURCES else "",
        model=query.get("model", "").strip().lower()[:LONGEST_MODEL],
    )


def filter_values(wanted: Sought) -> dict[str, Any]:
    """Return what the template of the filter needs."""
    return {"wanted": wanted, "stages": tuple(Stages), "sources": SOURCES}
