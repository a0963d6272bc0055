"""The reference page of the settings, made from their table."""

from __future__ import annotations

from dataclasses import Field
from typing import Any

from cogyard.compose.settings import FIELDS


def reference() -> str:
    """Return the reference page, in Markdown."""
    lines = [
        "# Settings of the platform",
        "",
        "Made from `cogyard.compose.settings`. Each can be given to `cogyard up` as an argument (`--data-dir`), as an",
        'environment variable (`COGYARD_DATA_DIR`), or in a TOML file (`data_dir = "…"`) named by `--config` or',
        "`COGYARD_CONFIG`. Arguments win over the environment, the environment over the file. Unknown keys are",
        "refused.",
        "",
    ]
    for name, one in FIELDS.items():
        default = _shown_default(name, one)
        lines += [f"## {name}", "", one.metadata["help"], "", f"Default: {default}", ""]
    return "\n".join(lines)


def _shown_default(name: str, one: Field[Any]) -> str:
    computed = {
        "data_dir": "`cogyard` in the user's data folder, `~/.local/share` unless `XDG_DATA_HOME` is set",
        "max_instances": "from this machine's cores and memory",
    }
    if name in computed:
        return computed[name]
    value = one.default
    if value is None or value == ():
        return "none"
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"
