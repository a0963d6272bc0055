"""`cog schema`: the model's OpenAPI document."""

from __future__ import annotations

import json
from pathlib import Path

import click

from cogyard.cli.console import Console
from cogyard.cli.options import config_file


@click.command(short_help="Print the model's inputs and output as OpenAPI.")
@click.option(
    "--config",
    "of_config",
    is_flag=True,
    help="Print the JSON Schema of cog.yaml instead, for an editor; no project is needed.",
)
@config_file
def schema(*, of_config: bool, filename: str) -> None:
    """Print the model's OpenAPI document, read from its source; the code is loaded only where that does not tell."""
    if of_config:
        from cogyard.project.reference import schema_text

        print(schema_text(), end="")
        return
    from cogyard.cli.prepare import model_schema
    from cogyard.project import find_root, load_project

    project = load_project(find_root(Path.cwd(), filename), filename)
    print(json.dumps(model_schema(project, Console()), indent=2, ensure_ascii=False))
