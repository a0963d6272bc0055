"""`cog weights`: weights as artifacts of their own, in the format of Cog's draft."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from cogyard.cli.build import size
from cogyard.cli.console import Console
from cogyard.cli.errors import CommandError, MisuseError
from cogyard.cli.lazy import SuggestingGroup
from cogyard.cli.options import Decorator, config_file

if TYPE_CHECKING:
    from cogyard.oci.reference import Reference
    from cogyard.project import Project
    from cogyard.weights.artifact import Artifact
    from cogyard.weights.importing import Importer
    from cogyard.weights.lock import Entry
    from cogyard.weights.wishes import Wishes

image_option: Decorator = click.option(
    "--image",
    metavar="HOST/OWNER/NAME",
    help="The model's repository, instead of `model` or `image` of cog.yaml.",
)
verbose_option: Decorator = click.option("-v", "--verbose", is_flag=True, help="Show layers and files.")


class NotReadyError(CommandError):
    """Weights are not where they should be."""

    code = "weights_not_ready"


@click.group(cls=SuggestingGroup, short_help="Import, send, fetch and look at weights.")
def weights() -> None:
    """Keep weights apart from the image, as artifacts of their own: `weights` of cog.yaml says which.

    An import keeps their files in this machine's cache, writes what they are into weights.lock, and sends them to the
    model's repository where one is named. The image only says which weights it expects and where.
    """


@weights.command("import", short_help="Take weights from their source, and send them.")
@click.argument("names", nargs=-1, metavar="[NAME]...")
@click.option("--dry-run", is_flag=True, help="Only show what would be imported.")
@image_option
@verbose_option
@config_file
def import_(
    *, names: tuple[str, ...], dry_run: bool, image: str | None, verbose: bool, filename: str
) -> None:
    """Take weights from their source into weights.lock, and send them to the model's repository.

    Without NAME, all of them; what cog.yaml no longer declares leaves weights.lock. Files that have not changed are not
    read again, and nothing is sent that the registry has.
    """
    from cogyard.weights.kept import read_lock, write_lock

    console = Console()
    project = _project(filename, console)
    wishes = _wishes(project, names)
    target = _repository(project, image)
    if dry_run:
        _show_plan(_importer(project, console.say if verbose else _nothing), wishes, verbose=verbose)
        return
    lock, entries = read_lock(project.root), []
    order = [each.name for each in project.config.weights]
    if not names and (kept := lock.only(order)) != lock:
        lock = kept
        write_lock(project.root, lock)
    for each in wishes:
        with console.working(f"Importing {each.name}") as step:
            entry = _importer(project, step.detail if console.terminal or verbose else _nothing).run(each)
        before = lock.find(each.name)
        if not entry.same(before):
            lock = lock.having(entry, order)
            write_lock(project.root, lock)
        what = "unchanged" if entry.same(before) else "written into weights.lock"
        console.done(f"{_line(entry)}, {what}")
        entries.append(lock.find(each.name) or entry)
    if target is not None:
        _send(console, entries, target)
    else:
        console.say(
            "  No repository is named, so nothing was sent; `cog push` sends what the registry lacks."
        )
    for entry in entries:
        click.echo(f"{entry.artifact.name} {entry.digest}")


@weights.command(short_help="Compare cog.yaml, weights.lock and the registry.")
@click.option("--json", "as_json", is_flag=True, help="Print it as JSON.")
@image_option
@verbose_option
@config_file
def status(*, as_json: bool, image: str | None, verbose: bool, filename: str) -> None:
    """Show whether cog.yaml, weights.lock and the registry say the same of each set of weights.

    ready: all do. incomplete: the registry lacks something. stale: cog.yaml has changed since the import. pending:
    never imported. orphaned: only in weights.lock. Without a repository the registry is not asked. Exit status 1 unless
    all are ready.
    """
    from cogyard.cli.weights_status import rows_of, table_of

    project = _project(filename, Console(quiet=True), declared=False)
    target = _repository(project, image)
    rows = asyncio.run(rows_of(project, target))
    if as_json:
        click.echo(json.dumps({"weights": [each.document() for each in rows]}, indent=2))
    else:
        for line in table_of(rows, verbose=verbose):
            click.echo(line)
    if any(each.status != "ready" for each in rows):
        raise NotReadyError("not all weights are ready", hint="cog weights import")


@weights.command(short_help="Fetch the files of weights.lock to this machine.")
@click.argument("names", nargs=-1, metavar="[NAME]...")
@image_option
@verbose_option
@config_file
def pull(*, names: tuple[str, ...], image: str | None, verbose: bool, filename: str) -> None:
    """Fetch the files of weights.lock from the registry into this machine's cache, and print their folders.

    Files that are here are not fetched again. A folder is what `docker run -v FOLDER:TARGET:ro` mounts.
    """
    from cogyard.weights.kept import imported, local_files

    console = Console()
    project = _project(filename, console)
    chosen = {each.name for each in _wishes(project, names)}
    entries = [each for each in imported(project) if each.artifact.name in chosen]
    files = local_files()
    missing = [each for each in entries if files.missing(each.artifact.files)]
    if missing:
        target = _repository(project, image)
        if target is None:
            raise MisuseError(
                "it is not said where to fetch from", hint="cog weights pull --image HOST/OWNER/NAME"
            )
        asyncio.run(_fetch(console, missing, target, verbose=verbose))
    for entry in entries:
        state = "fetched" if entry in missing else "here already"
        console.done(f"{_line(entry)}, {state}")
        click.echo(f"{entry.artifact.target} {files.folder(entry.artifact.files)}")


@weights.command(short_help="Show the layers and files of weights.")
@click.argument("names", nargs=-1, metavar="[NAME]...")
@click.option("--json", "as_json", is_flag=True, help="Print manifest and configuration as JSON.")
@click.option("--remote", is_flag=True, help="Look in the registry, at what the tag `latest` has beside it.")
@image_option
@config_file
def inspect(*, names: tuple[str, ...], as_json: bool, remote: bool, image: str | None, filename: str) -> None:
    """Show the layers and files of weights: those of weights.lock, or of an image in a registry."""
    console = Console(quiet=True)
    if remote:
        project = None if image else _project(filename, console, declared=False)
        target = _repository(project, image)
        if target is None:
            raise MisuseError(
                "it is not said where to look", hint="cog weights inspect --remote --image HOST/OWNER/NAME"
            )
        found: Sequence[Artifact] = asyncio.run(_beside(target))
    else:
        from cogyard.weights.kept import read_lock

        project = _project(filename, console, declared=False)
        found = [each.artifact for each in read_lock(project.root).entries]
    for name in names:
        if name not in {each.name for each in found}:
            there = ", ".join(each.name for each in found) or "none"
            raise MisuseError(f"there are no weights `{name}`; there are: {there}")
    chosen = [each for each in found if not names or each.name in names]
    if as_json:
        documents = [
            {"manifest": json.loads(each.manifest()), "config": json.loads(each.config())} for each in chosen
        ]
        click.echo(json.dumps(documents, indent=2))
        return
    for each in chosen:
        for line in _described(each):
            click.echo(line)


def _project(filename: str, console: Console, *, declared: bool = True) -> Project:
    from cogyard.cli.prepare import open_project

    project = open_project(filename, console)
    if declared and not project.config.weights:
        raise CommandError(
            f"{filename} declares no weights",
            hint="For example: weights: [{name: base, target: /src/weights, source: {uri: ./weights}}]",
        )
    return project


def _wishes(project: Project, names: Sequence[str]) -> list[Wishes]:
    from cogyard.project.suggest import did_you_mean
    from cogyard.weights.wishes import wish_of

    declared = {each.name: each for each in project.config.weights}
    for name in names:
        if name not in declared:
            raise MisuseError(
                f"{project.config_file.name} declares no weights `{name}`; there are: {', '.join(declared)}",
                hint=did_you_mean(name, [*declared]),
            )
    return [wish_of(each) for name, each in declared.items() if not names or name in names]


def _repository(project: Project | None, image: str | None) -> Reference | None:
    """Return the model's repository; None where only a local name is known."""
    from cogyard.oci.reference import DEFAULT_HOST, Reference

    name = image or (None if project is None else project.config.model or project.image)
    if name is None:
        return None
    reference = Reference.parse(name)
    return None if image is None and reference.host == DEFAULT_HOST else reference


def _importer(project: Project, progress: Callable[[str], None]) -> Importer:
    from cogyard.image.build import local_store
    from cogyard.weights.importing import Importer
    from cogyard.weights.kept import local_files

    return Importer(
        project=project.root,
        files=local_files(),
        store=local_store(),
        environment=os.environ,
        now=datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        progress=progress,
    )


def _nothing(_line: str) -> None:
    return


def _show_plan(importer: Importer, wishes: Sequence[Wishes], *, verbose: bool) -> None:
    for each in wishes:
        files = importer.look(each)
        known = sum(file.size or 0 for file in files)
        click.echo(
            f"{each.name} -> {each.target}: {len(files)} {'file' if len(files) == 1 else 'files'}, {size(known)}"
        )
        if verbose:
            for file in files:
                click.echo(f"  {file.path}  {'?' if file.size is None else size(file.size)}")


def _send(console: Console, entries: Sequence[Entry], target: Reference) -> None:
    from cogyard.cli.sending import sending
    from cogyard.image.build import local_store
    from cogyard.image.push import push_weights

    with sending(console, f"Sending weights to {target.familiar}") as watcher:
        sent = asyncio.run(
            push_weights(local_store(), [each.artifact for each in entries], target, watcher=watcher)
        )
    console.done(f"Sent to {target.familiar} ({size(sent)} sent, {size(watcher.spared)} were there already)")


async def _fetch(console: Console, entries: Sequence[Entry], target: Reference, *, verbose: bool) -> None:
    from cogyard.image.build import local_store
    from cogyard.oci.settings import connect
    from cogyard.weights.kept import local_files
    from cogyard.weights.transfer import Weights

    text = f"Fetching weights from {target.familiar}"
    with console.working(text) if console.terminal else nullcontext() as step:

        def say(line: str) -> None:
            step.detail(line) if step is not None else (console.say(f"  {line}") if verbose else None)

        here = Weights(
            files=local_files(),
            store=local_store(),
            on_moved=lambda moved: say(f"{moved.descriptor.digest[7:19]} ({size(moved.descriptor.size)})"),
            on_file=lambda file: say(f"{file.path} ({size(file.size)})"),
        )
        async with connect(target.host, os.environ) as client:
            for entry in entries:
                await here.pull(client, target, entry.digest)


async def _beside(target: Reference) -> list[Artifact]:
    from cogyard.image.fetch import weights_beside

    return await weights_beside(target)


def _line(entry: Entry) -> str:
    artifact = entry.artifact
    files, layers = len(artifact.files), len(artifact.layers)
    return (
        f"{artifact.name} -> {artifact.target} ({size(artifact.size)} in {files} file{'s' * (files != 1)}, "
        f"{layers} layer{'s' * (layers != 1)})"
    )


def _described(artifact: Artifact) -> list[str]:
    lines = [
        f"{artifact.name} -> {artifact.target}",
        f"  manifest    {artifact.entry().digest}",
        f"  set digest  {artifact.set_digest}",
    ]
    for layer in artifact.layers:
        kind = layer.media_type.rpartition(".")[2]
        lines.append(f"  layer       {layer.digest}  {kind}  {size(layer.size)}")
        lines += [
            f"    {each.path}  {size(each.size)}"
            for each in sorted(artifact.files, key=lambda each: each.path)
            if each.layer == layer.digest
        ]
    return lines
