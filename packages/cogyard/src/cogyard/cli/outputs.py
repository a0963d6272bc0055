"""What a prediction gave, to stdout or into files."""

from __future__ import annotations

import base64
import json
import mimetypes
import shlex
import shutil
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import IO, Any

from cog_server.outputs import OutputFile

from cogyard.cli.console import Console
from cogyard.cli.errors import CommandError
from cogyard.cli.whole import whole

DEFAULT_STEM = "output"


class OutputError(CommandError):
    """An output cannot be written where it should go."""

    code = "output_unwritable"


class Outputs:
    """Show one prediction's output as it comes. `destination` is `-o`: a file, a folder, `-`, or None."""

    def __init__(
        self,
        document: Mapping[str, Any],
        destination: str | None,
        console: Console,
        *,
        training: bool = False,
    ) -> None:
        schema = document.get("components", {}).get("schemas", {}).get("Output", {})
        self._iterator = schema.get("x-cog-array-type") == "iterator"
        self._text = self._iterator and schema.get("x-cog-array-display") == "concatenate"
        self._files = self._iterator and schema.get("items", {}).get("format") == "uri"
        self._to = None if destination in {None, "-"} else Path(str(destination)).expanduser()
        self._raw = destination == "-"
        self._named_folder = str(destination or "").endswith("/")
        self._training = training
        self._console = console
        self._shown = 0
        self._last = ""

    def check(self) -> None:
        """Raise OutputError when the destination can never be written, before the model is started."""
        folder = self._to if self._named_folder and self._to is not None else self._folder()
        if folder.exists() and not folder.is_dir():
            raise OutputError(
                f"{folder} is a file, and the output would be written into a folder of that name"
            )
        if not folder.is_dir():
            raise OutputError(
                f"the folder {folder} for the output is not there",
                hint=f"Make it: mkdir -p {shlex.quote(str(folder))}",
            )

    def chunk(self, value: Any, index: int) -> None:
        """Show one yielded value at once, where the output is shown piece by piece."""
        if self._text and self._to is None:
            self._print(value if isinstance(value, str) else str(value))
        elif self._files and isinstance(value, OutputFile) and not self._raw:
            self._write_file(value, self._path(value, index))
        elif self._iterator and not self._files and self._to is None:
            before = "[\n" if index == 0 else ",\n"
            text = json.dumps(self._kept(value, f"{index}"), indent=2, ensure_ascii=False)
            self._print(before + "  " + text.replace("\n", "\n  "))
        else:
            return
        self._shown += 1

    def finish(self, output: Any) -> None:
        """Show the whole output, or end what was shown piece by piece."""
        if self._shown:
            ending = "" if self._text or self._files else "\n]"
            if ending or (self._text and not self._last.endswith("\n")):
                self._print(f"{ending}\n")
        elif self._text and isinstance(output, list):
            self._put_text("".join(map(str, output)))
        elif output is None:
            self._console.warn("No output generated")
        elif isinstance(output, OutputFile):
            self._put_file(output)
        elif self._training and isinstance(output, dict) and isinstance(output.get("weights"), OutputFile):
            self._put_file(output["weights"])
            if rest := {name: value for name, value in output.items() if name != "weights"}:
                self._print(json.dumps(self._kept(rest, ""), indent=2, ensure_ascii=False) + "\n")
        elif isinstance(output, list) and output and all(isinstance(one, OutputFile) for one in output):
            for index, one in enumerate(output):
                self._write_file(one, self._path(one, index))
        elif isinstance(output, str):
            self._put_text(output)
        else:
            text = json.dumps(self._kept(output, ""), indent=2, ensure_ascii=False)
            self._put_text(f"{text}\n", extension=".json")

    def whole(self, response: Mapping[str, Any]) -> None:
        """Show the whole response as JSON, files as data URLs (`--json`)."""
        if self._to is not None and self._to.suffix != ".json":
            self._console.warn(f"the value of --output does not end with .json: {self._to}")
        text = json.dumps(_with_data_urls(response), indent=2, ensure_ascii=False)
        self._put_text(f"{text}\n", extension=".json", anyway=True)

    def _kept(self, value: Any, name: str) -> Any:
        """Write the files inside a value and put their paths in their place."""
        if isinstance(value, OutputFile):
            path = self._path(value, name or None)
            self._write_file(value, path)
            return str(path)
        if isinstance(value, list):
            return [self._kept(one, f"{name}.{index}".lstrip(".")) for index, one in enumerate(value)]
        if isinstance(value, dict):
            return {key: self._kept(one, f"{name}.{_plain(key)}".lstrip(".")) for key, one in value.items()}
        return value

    def _put_file(self, file: OutputFile) -> None:
        if self._raw:
            with file.path.open("rb") as source:
                shutil.copyfileobj(source, sys.stdout.buffer)
            return
        self._write_file(file, self._path(file, None))

    def _put_text(self, text: str, *, extension: str = ".txt", anyway: bool = False) -> None:
        if self._to is None or (self._training and not anyway):
            self._print(text if text.endswith("\n") else f"{text}\n")
            return
        target = self._to / f"{DEFAULT_STEM}{extension}" if self._to.is_dir() else self._to
        _write(target, lambda file: _written(file, text))
        self._console.say(f"Written output to {target}")

    def _print(self, text: str) -> None:
        sys.stdout.write(text)
        sys.stdout.flush()
        self._last = text or self._last

    def _folder(self) -> Path:
        if self._to is None:
            return Path()
        return self._to if self._to.is_dir() else self._to.parent

    def _path(self, file: OutputFile, index: int | str | None) -> Path:
        extension = Path(file.name).suffix or mimetypes.guess_extension(file.media_type) or ""
        number = "" if index is None else f".{index}"
        if self._to is not None and not self._to.is_dir():
            # One of several is named for what it is: `-o result.json` may hold pictures.
            own = extension or self._to.suffix
            return self._to if index is None else self._to.with_name(f"{self._to.stem}{number}{own}")
        if self._training and index is None:
            return self._folder() / Path(file.name).name  # weights are known by the name they were given
        return self._folder() / f"{DEFAULT_STEM}{number}{extension}"

    def _write_file(self, file: OutputFile, target: Path) -> None:
        _write(target, lambda into: _copy(file.path, into))
        self._console.say(f"Written output to {target}")


def _write(target: Path, fill: Callable[[IO[bytes]], None]) -> None:
    """Fill a file and put it in the target's place: a reader never sees half of it."""
    if target.is_dir():
        raise OutputError(
            f"the default output name {target.name} conflicts with a folder of that name",
            hint="Name a file with -o.",
        )
    try:
        with whole(target) as file:
            fill(file)
    except BrokenPipeError:
        raise  # who reads the pipe has gone, as behind `| head`
    except OSError as error:
        raise OutputError(f"the output cannot be written to {target}: {error.strerror}") from error


def _written(file: IO[bytes], text: str) -> None:
    file.write(text.encode("utf-8"))


def _copy(source: Path, file: IO[bytes]) -> None:
    with source.open("rb") as content:
        shutil.copyfileobj(content, file, 1 << 20)


def _with_data_urls(value: Any) -> Any:
    if isinstance(value, OutputFile):
        data = base64.b64encode(value.path.read_bytes()).decode()
        return f"data:{value.media_type};base64,{data}"
    if isinstance(value, Mapping):
        return {key: _with_data_urls(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_with_data_urls(one) for one in value]
    return value


def _plain(key: str) -> str:
    return "".join(character if character.isalnum() or character in "-_" else "_" for character in str(key))
