"""The build's shell commands: a text, or a mapping with secrets to mount."""

from __future__ import annotations

import yaml

from cogyard.project.document import shorten
from cogyard.project.reader import Reader
from cogyard.project.values import RunCommand, SecretMount


def read_commands(reader: Reader, node: yaml.Node) -> tuple[RunCommand, ...]:
    """Return `build.run`, each command on one line."""
    commands = (_command(reader, item) for item in reader.items(node, "run"))
    return tuple(command for command in commands if command is not None)


def _command(reader: Reader, node: yaml.Node) -> RunCommand | None:
    if not isinstance(node, yaml.MappingNode):
        text = reader.text(node, "run")
        return RunCommand(command=text) if text and _one_line(reader, node, text) else None
    keys = reader.mapping(node, "run", ("command", "mounts"))
    if "command" not in keys:
        hint = "A command with “: ” in it must stand in quotes."
        reader.problem(node, "an entry of `run` has no `command`", hint)
        return None
    text = reader.text(keys["command"], "command")
    mounts = (
        [_mount(reader, item) for item in reader.items(keys["mounts"], "mounts")] if "mounts" in keys else []
    )
    if not text or not _one_line(reader, keys["command"], text):
        return None
    return RunCommand(command=text, mounts=tuple(mount for mount in mounts if mount is not None))


def _mount(reader: Reader, node: yaml.Node) -> SecretMount | None:
    keys = reader.mapping(node, "mounts", ("type", "id", "target"))
    if not keys:
        return None
    values = {name: reader.text(keys[name], name) for name in keys}
    missing = [name for name in ("type", "id", "target") if name not in keys]
    if missing:
        told = f"{' and '.join(missing)} {'is' if len(missing) == 1 else 'are'} missing"
        reader.problem(node, f"a mount needs type, id and target; {told}")
        return None
    if values["type"] != "secret":
        kind = shorten(values["type"] or "")
        reader.problem(keys["type"], f"a mount's type must be `secret`, but is `{kind}`")
        return None
    secret, target = values["id"], values["target"]
    return SecretMount(id=secret, target=target) if secret and target else None


def _one_line(reader: Reader, node: yaml.Node, text: str) -> bool:
    if "\n" not in text.strip("\n"):
        return True
    reader.problem(
        node, "a command of `run` must be one line", "Write several entries, or join them with &&."
    )
    return False
