"""How `cog weights status` comes to its words."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from cogyard.cli.build import size

if TYPE_CHECKING:
    from cogyard.oci.reference import Reference
    from cogyard.project import Project
    from cogyard.weights.lock import Entry


@dataclass(frozen=True, kw_only=True)
class Row:
    """One set of weights: what is to be said of it; of its layers, which the registry has where it was asked."""

    name: str
    target: str
    status: str
    entry: Entry | None = None
    layers: Mapping[str, str] = field(default_factory=dict)

    def document(self) -> dict[str, Any]:
        """Return it for machines, as Cog does."""
        found: dict[str, Any] = {"name": self.name, "target": self.target, "status": self.status}
        if self.entry is None:
            return found
        artifact = self.entry.artifact
        sources = [{"uri": each.uri, "fingerprint": each.fingerprint} for each in self.entry.sources]
        return {
            **found,
            "size": artifact.size,
            "sizeCompressed": self.entry.stored_size,
            "layerCount": len(artifact.layers),
            "fileCount": len(artifact.files),
            "digest": self.entry.digest,
            "source": sources[0] if len(sources) == 1 else sources,
            "layers": [
                {"digest": each.digest, "size": each.size, "status": self.layers.get(each.digest, "unknown")}
                for each in artifact.layers
            ],
        }


async def rows_of(project: Project, target: Reference | None) -> list[Row]:
    """Return a row for each set of weights of cog.yaml and weights.lock; the registry is asked where one is named."""
    from cogyard.oci.settings import connect
    from cogyard.weights.kept import read_lock

    lock, declared = read_lock(project.root), project.config.weights
    rows = []
    for each in declared:
        entry = lock.find(each.name)
        state = "pending" if entry is None else "ready" if entry.fits(each) else "stale"
        rows.append(Row(name=each.name, target=each.target, status=state, entry=entry))
    names = {each.name for each in declared}
    rows += [
        Row(name=each.artifact.name, target=each.artifact.target, status="orphaned", entry=each)
        for each in lock.entries
        if each.artifact.name not in names
    ]
    if target is None:
        return rows
    async with connect(target.host, os.environ) as client:
        return [await _asked(client, each, target) for each in rows]


async def _asked(client: Any, row: Row, target: Reference) -> Row:
    from cogyard.weights.transfer import lacking

    if row.entry is None or row.status != "ready":
        return row
    artifact = row.entry.artifact
    missing = await lacking(client, artifact, target)
    layers = {each.digest: "missing" if each.digest in missing else "ready" for each in artifact.layers}
    status = "incomplete" if missing else "ready"
    return Row(name=row.name, target=row.target, status=status, entry=row.entry, layers=layers)


def table_of(rows: Sequence[Row], *, verbose: bool) -> list[str]:
    """Return the rows for people."""
    if not rows:
        return ["No weights are declared."]
    cells = [("NAME", "TARGET", "STATUS", "SIZE", "LAYERS", "DIGEST")]
    for each in rows:
        artifact = each.entry.artifact if each.entry is not None else None
        cells.append((
            each.name, each.target, each.status,
            "-" if artifact is None else size(artifact.size),
            "-" if artifact is None else str(len(artifact.layers)),
            "-" if each.entry is None else each.entry.digest[:19],
        ))  # fmt: skip
        if verbose and artifact is not None:
            cells += [
                ("", each.layers.get(layer.digest, "-"), "", size(layer.size), "", layer.digest[:19])
                for layer in artifact.layers
            ]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in cells
    ]
