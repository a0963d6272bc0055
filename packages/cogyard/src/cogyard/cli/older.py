"""What scripts written for Cog say on a command line: options without effect here, and `--debug` after a command."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence

import click
import msgspec

#: Options of every command that Cog takes after it as well, and the variables they set.
EVERYWHERE = {"--debug": "COG_DEBUG", "--no-color": "NO_COLOR"}


class Without(msgspec.Struct, frozen=True):
    """An option without effect: whether a value follows it, and why it has none; no reason for what needs no word."""

    value: bool
    why: str | None = None


_RUN = {
    "--progress": Without(value=True),
    "--use-cog-base-image": Without(False, "--base names a base image"),
    "--use-cuda-base-image": Without(True, "CUDA comes with the packages that need it"),
    "--x-fast": Without(False, "Cog has it no more"),
    "--x-localimage": Without(False, "Cog has it no more"),
}
_BUILD = {
    **_RUN,
    "--separate-weights": Without(False, "weights are always layers of their own"),
    "--timestamp": Without(True, "times in an image are fixed; SOURCE_DATE_EPOCH chooses them"),
    "--strip": Without(False, "packages stay as they were published"),
    "--precompile": Without(False, "packages are always compiled"),
    "--skip-schema-validation": Without(False, "a document given with --openapi-schema is taken as it is"),
}
#: Cog's options without effect, by command.
COGS: Mapping[str, Mapping[str, Without]] = {
    **dict.fromkeys(("build", "push", "debug"), _BUILD),
    **dict.fromkeys(("predict", "run", "train", "serve", "exec"), _RUN),
}


class Line(msgspec.Struct, frozen=True):
    """A command's words without those that are not its own."""

    words: list[str]
    everywhere: list[str]
    """Options of every command that stood after it."""
    without: list[str]
    """Options without effect."""


def read(
    words: Sequence[str], without: Mapping[str, Without], *, valued: Collection[str], interspersed: bool
) -> Line:
    """Take out what is not the command's own; `valued` are its own options that a value follows.

    Where options are not `interspersed`, those after the first plain word are not looked at; nor are any after `--`.
    """
    line = Line([], [], [])
    rest = list(words)
    while rest:
        word = rest.pop(0)
        name, equals, _ = word.partition("=")
        if word == "--" or not (interspersed or word.startswith("-")):
            line.words.extend((word, *rest))
            break
        if name in without:
            line.without.append(name)
            if without[name].value and not equals:
                del rest[:1]
        elif word in EVERYWHERE:
            line.everywhere.append(word)
        else:
            line.words.append(word)
            if word in valued:
                line.words.extend(rest[:1])
                del rest[:1]
    return line


#: Programs that `cog run` alone can mean, since no model's image is called so.
_PROGRAMS = frozenset({"python", "python3", "bash", "sh"})


def means_exec(
    words: Sequence[str], predict: click.Command, execute: click.Command, there: Callable[[str], bool]
) -> bool:
    """Say whether `cog run` is meant as Cog had it until 0.18, and takes it to this day: run a command.

    It is where something follows the first plain word that no prediction takes, where that word is a program or a file
    that is `there`, and where a port is to be published.
    """
    kept = read_for("exec", execute, words).words
    valued, own = _valued(execute) | _valued(predict), _options(predict)
    while kept and kept[0].startswith("-"):
        option = kept.pop(0)
        if option.partition("=")[0] in {"-p", "--publish"}:
            return True
        if option in valued:
            del kept[:1]
    if not kept:
        return False
    word, *rest = kept
    if "=" in word:
        return False  # an input without -i, as it is told
    if rest and not rest[0].startswith("-"):
        return "=" not in rest[0]
    if rest:
        return rest[0].partition("=")[0] not in {*own, *COGS["run"], *EVERYWHERE, "-h", "--help"}
    return word in _PROGRAMS or there(word)


def _options(command: click.Command) -> set[str]:
    options = [each for each in command.params if isinstance(each, click.Option)]
    return {option for each in options for option in (*each.opts, *each.secondary_opts)}


def _valued(command: click.Command) -> set[str]:
    options = [each for each in command.params if isinstance(each, click.Option)]
    return {option for each in options if not each.is_flag and not each.count for option in each.opts}


def read_for(name: str, command: click.Command, words: Sequence[str]) -> Line:
    """Read the words after a command; what it has an option of its own for stays."""
    own = _options(command)
    return read(
        words,
        {option: why for option, why in COGS.get(name, {}).items() if option not in own},
        valued=_valued(command),
        interspersed=command.context_settings.get("allow_interspersed_args", True),
    )
