"""Have a model find its weights on this machine, wherever a command runs it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from cogyard.weights.artifact import Artifact
from cogyard.weights.errors import PlaceTakenError
from cogyard.weights.kept import imported, local_files
from cogyard.weights.lock import LOCK_NAME
from cogyard.weights.paths import in_project
from cogyard.weights.sources.folder import place_of
from cogyard.weights.wishes import FILE, wish_of

if TYPE_CHECKING:
    from cogyard.cli.console import Console
    from cogyard.engine import ImageFacts
    from cogyard.oci.layout import ImageStore, StoredImage
    from cogyard.project import Project


def place_in_project(project: Project, console: Console) -> None:
    """Put the weights of a project where its code finds them when it runs as processes: a link to their files.

    Where they are in the project already, they are used as they are, imported or not. Raises NotImportedError,
    FilesMissingError, PlaceTakenError.
    """
    declared = [each for each in project.config.weights if not _stands_there(project, each.name)]
    if not declared:
        return
    entries = {each.artifact.name: each.artifact for each in imported(project)}
    for each in declared:
        artifact = entries[each.name]
        name = in_project(artifact.target)
        if name is None:
            if Path(artifact.target).is_dir():
                continue  # this machine has it; what is in it is its owner's business
            raise PlaceTakenError(
                f"the weights `{each.name}` belong at {artifact.target}, and a process has no such folder of its own",
                hint="Run it in a container (--engine docker), or choose a target below /src.",
            )
        _link(project.root / name, local_files().folder(artifact.files), name, console)


def options_for(artifacts: Sequence[Artifact]) -> tuple[str, ...]:
    """Return what `docker run` mounts weights with. Raises FilesMissingError."""
    files = local_files()
    words: list[str] = []
    for each in artifacts:
        words += ["--volume", f"{files.folder(each.files)}:{each.target}:ro"]
    return tuple(words)


def beside_stored(store: ImageStore, stored: StoredImage) -> tuple[Artifact, ...]:
    """Return the weights that stand beside an image of the local store. Raises ArtifactInvalidError."""
    from cogyard.image.expected import kept

    return kept(store, stored.beside)


def beside_built(name: str) -> tuple[Artifact, ...]:
    """Return the weights of an image that was built here just now."""
    from cogyard.image.build import local_store
    from cogyard.oci.reference import Reference

    store = local_store()
    return beside_stored(store, store.image(Reference.parse(name)))


def beside_image(name: str, facts: ImageFacts | None, console: Console) -> tuple[Artifact, ...]:
    """Return the weights of an image that an engine runs: of the local store, else fetched from its registry.

    Raises FilesMissingError, RegistryError.
    """
    from cogyard.image.build import local_store
    from cogyard.image.fetch import pull_weights
    from cogyard.oci.errors import ImageNotFoundError
    from cogyard.oci.reference import Reference

    if facts is None or not facts.weights:
        return ()
    store, reference = local_store(), Reference.parse(name)
    try:
        stored = store.image(reference)
    except ImageNotFoundError:
        stored = None
    if stored is not None and facts.id in {stored.manifest.config.digest, stored.descriptor.digest}:
        return beside_stored(store, stored)
    with console.working(f"Fetching the weights of {reference.familiar}"):
        return asyncio.run(pull_weights(store, reference))


def _stands_there(project: Project, name: str) -> bool:
    """Say whether weights come from the very folder in the project where they are to stand."""
    declared = next(each for each in project.config.weights if each.name == name)
    wishes = wish_of(declared)
    below = in_project(wishes.target)
    if below is None or len(wishes.sources) != 1 or not wishes.sources[0].uri.startswith(FILE):
        return False
    source = place_of(wishes.sources[0].uri, project.root)
    return source.resolve() == (project.root / below).resolve() and source.is_dir()


def _link(place: Path, folder: Path, name: str, console: Console) -> None:
    if place.is_symlink():
        target = place.readlink()
        if target == folder:
            return
        if target.parent != folder.parent:
            raise PlaceTakenError(
                f"{name} is a link to {target}, and the weights belong there", hint="Remove it."
            )
        place.unlink()  # to an earlier set of ours
    elif place.exists():
        raise PlaceTakenError(
            f"{name} is in the way of weights that belong there",
            hint=f"Move it away; or, if it is what the weights come from, say so: source: {{uri: ./{name}}}",
        )
    place.parent.mkdir(parents=True, exist_ok=True)
    place.symlink_to(folder)
    console.say(f"  {name} is now a link to the weights that {LOCK_NAME} names")
