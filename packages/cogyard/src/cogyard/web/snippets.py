r"""Code that runs a model as it stands when pasted: Python, JavaScript, curl. Pure.

Theory of operation: the examples hold values that strangers chose (input defaults, a version's field names), and
end in somebody's shell. So each language has one function that writes a JSON value as a literal, and nothing else
is put between quotes; the shell's is a here-document in which `\`, `$` and the backtick are escaped.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

TOKEN_VARIABLE = "REPLICATE_API_TOKEN"  # noqa: S105 - the name of a variable
INDENT = "  "


@dataclass(frozen=True, kw_only=True, slots=True)
class LocalFile:
    """Stands in an example's input for a file beside the script."""

    name: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Call:
    """What an example calls. `base` is the platform's address as the reader reaches it, without a slash at the end."""

    base: str
    model: str
    version: str
    input: Mapping[str, Any]
    streams: bool = False
    makes_file: bool = False
    deployment: str | None = None
    """Ask this deployment, `owner/name`, rather than the version."""
    destination: str | None = None
    """Train the version for this model, `owner/name`, rather than run it."""

    @property
    def lasts(self) -> bool:
        """Whether what is made is a thing of its own to wait for, rather than an output."""
        return self.deployment is not None or self.destination is not None

    @property
    def reference(self) -> str:
        """`owner/name:version`, as clients take it."""
        return f"{self.model}:{self.version}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Snippet:
    """One language's example: how to install what it needs, and the code."""

    language: str
    label: str
    install: str
    code: str


def snippets(call: Call) -> tuple[Snippet, ...]:
    """Return the examples, in the order of the tabs."""
    return (
        Snippet(language="python", label="Python", install="pip install replicate", code=python(call)),
        Snippet(
            language="javascript", label="JavaScript", install="npm install replicate", code=javascript(call)
        ),
        Snippet(language="shell", label="curl", install="", code=curl(call)),
    )


def python(call: Call) -> str:
    """Return a Python script."""
    lines = ["import os"]
    downloads = call.makes_file and not call.lasts and not call.base.startswith("https:")
    if call.lasts:
        lines.append("import time")
    if downloads:
        lines.append("from urllib.request import urlretrieve")
    lines += [
        "",
        "import replicate",
        "",
        "client = replicate.Client(",
        f"    base_url={python_literal(call.base)},",
        f'    api_token=os.environ["{TOKEN_VARIABLE}"],',
        ")",
    ]
    first = call.deployment or call.reference
    arguments = [
        f"    {'version=' if call.destination else ''}{python_literal(first)},",
        f"    input={python_literal(call.input, '    ')},",
    ]
    if call.destination is not None:
        arguments.append(f"    destination={python_literal(call.destination)},")
    if call.lasts:
        thing, room = _thing(call)
        lines += [f"{thing} = client.{room}.create(", *arguments, ")", *_python_end(thing)]
    elif call.streams:
        lines += [
            "for event in client.stream(",
            *arguments,
            "):",
            '    print(str(event), end="", flush=True)',
        ]
    else:
        lines += ["output = client.run(", *arguments, ")"]
        lines += _python_output(call, downloads=downloads)
    return "\n".join(lines) + "\n"


def _thing(call: Call) -> tuple[str, str]:
    """Return what is made, in a word, and where clients make it."""
    return ("training", "trainings") if call.destination else ("prediction", "deployments.predictions")


def _python_end(thing: str) -> list[str]:
    # A training has no wait() in the official client; both have reload(), and what has ended says when.
    return [
        f"while {thing}.completed_at is None:",
        "    time.sleep(1)",
        f"    {thing}.reload()",
        f"print({thing}.status, {thing}.output)",
    ]


def _python_output(call: Call, *, downloads: bool) -> list[str]:
    if downloads:
        # The official client makes file objects of https: and data: addresses only; an http: one comes as a string.
        return ['urlretrieve(str(output), "output")']
    if call.makes_file:
        return ['with open("output", "wb") as file:', "    file.write(output.read())"]
    return ["print(output)"]


def javascript(call: Call) -> str:
    """Return a JavaScript module for Node."""
    reads = any(isinstance(value, LocalFile) for value in call.input.values())
    writes = call.makes_file and not call.lasts
    imports = [name for name, needed in (("readFile", reads), ("writeFile", writes)) if needed]
    lines = ['import Replicate from "replicate";']
    if imports:
        lines.append(f'import {{ {", ".join(imports)} }} from "node:fs/promises";')
    arguments = f"{javascript_literal(call.reference)}, {{ input }}"
    lines += [
        "",
        "const replicate = new Replicate({",
        f"  baseUrl: {javascript_literal(call.base + '/v1')},",
        f"  auth: process.env.{TOKEN_VARIABLE},",
        "});",
        "",
        f"const input = {javascript_literal(call.input)};",
    ]
    if call.lasts:
        lines += _javascript_lasting(call)
    elif call.streams:
        lines += [
            f"for await (const event of replicate.stream({arguments})) {{",
            "  process.stdout.write(`${event}`);",
            "}",
        ]
    else:
        lines += [f"const output = await replicate.run({arguments});", *_javascript_output(call)]
    return "\n".join(lines) + "\n"


def _javascript_lasting(call: Call) -> list[str]:
    thing, room = _thing(call)
    parts = (call.deployment or call.model).split("/", 1)
    names = [*parts, call.version] if call.destination else parts
    options = "{ input }"
    if call.destination is not None:
        options = f"{{ destination: {javascript_literal(call.destination)}, input }}"
    arguments = ", ".join([*map(javascript_literal, names), options])
    end = [f"{thing} = await replicate.wait({thing});"]
    if call.destination is not None:
        end = [
            f"while (!{thing}.completed_at) {{",
            "  await new Promise((resolve) => setTimeout(resolve, 1000));",
            f"  {thing} = await replicate.trainings.get({thing}.id);",
            "}",
        ]
    return [
        f"let {thing} = await replicate.{room}.create({arguments});",
        *end,
        f"console.log({thing}.status, {thing}.output);",
    ]


def _javascript_output(call: Call) -> list[str]:
    if not call.makes_file:
        return ["console.log(output);"]
    if call.base.startswith("https:"):
        return ['await writeFile("output", output);']
    # As in Python: without TLS an output may be a plain address.
    return [
        "const response = await fetch(String(output));",
        'await writeFile("output", Buffer.from(await response.arrayBuffer()));',
    ]


def curl(call: Call) -> str:
    """Return a shell command."""
    path, body = "/v1/predictions", {"version": call.version, "input": call.input}
    if call.deployment is not None:
        path, body = f"/v1/deployments/{call.deployment}/predictions", {"input": call.input}
    elif call.destination is not None:
        path = f"/v1/models/{call.model}/versions/{call.version}/trainings"
        body = {"destination": call.destination, "input": call.input}
    waits = [] if call.destination else ['  -H "Prefer: wait" \\']
    lines = [
        f"curl -s {shell_literal(call.base + path)} \\",
        f'  -H "Authorization: Bearer ${TOKEN_VARIABLE}" \\',
        '  -H "Content-Type: application/json" \\',
        *waits,
        "  --data-binary @- <<JSON",
        shell_document(body),
        "JSON",
    ]
    return "\n".join(lines) + "\n"


def python_literal(value: Any, margin: str = "") -> str:
    """Write a JSON value as Python does, over several lines when it holds something."""
    inner = margin + "    "
    if isinstance(value, LocalFile):
        return f'open({python_literal(value.name)}, "rb")'
    if isinstance(value, Mapping):
        rows = [
            f"{inner}{python_literal(str(key))}: {python_literal(item, inner)},"
            for key, item in value.items()
        ]
        return "\n".join(["{", *rows, margin + "}"]) if rows else "{}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(python_literal(item, inner) for item in value) + "]"
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False) if value.isprintable() else repr(value)
    return repr(value)


def javascript_literal(value: Any, margin: str = "") -> str:
    """Write a JSON value as JavaScript does."""
    inner = margin + INDENT
    if isinstance(value, LocalFile):
        return f"await readFile({javascript_literal(value.name)})"
    if isinstance(value, Mapping):
        rows = [f"{inner}{_key(str(key))}: {javascript_literal(item, inner)}," for key, item in value.items()]
        return "\n".join(["{", *rows, margin + "}"]) if rows else "{}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(javascript_literal(item, inner) for item in value) + "]"
    return json.dumps(value, ensure_ascii=not (isinstance(value, str) and value.isprintable()))


def _key(name: str) -> str:
    plain = name.isascii() and name.isidentifier() and name != "__proto__"
    return name if plain else "[" + json.dumps(name) + "]"


def shell_literal(text: str) -> str:
    """Quote a word for a POSIX shell, always in single quotes."""
    return "'" + text.replace("'", "'\\''") + "'"


def shell_document(value: Mapping[str, Any]) -> str:
    """Write JSON as the body of an unquoted here-document; local files are read when it runs."""
    marks: dict[str, str] = {}

    def plain(item: Any) -> Any:
        if isinstance(item, LocalFile):
            # A key no JSON text contains unescaped, replaced below by the command that reads the file.
            mark = f"\u0000file{len(marks)}\u0000"
            marks[json.dumps(mark)[1:-1]] = item.name
            return mark
        if isinstance(item, Mapping):
            return {str(key): plain(inner) for key, inner in item.items()}
        if isinstance(item, list | tuple):
            return [plain(inner) for inner in item]
        return item

    text = json.dumps(plain(value), indent=2)
    text = text.replace("\\", "\\\\").replace("$", "\\$").replace("`", "\\`")
    for mark, name in marks.items():
        command = f"data:application/octet-stream;base64,$(base64 < {shell_literal(name)} | tr -d '\\n')"
        text = text.replace(mark.replace("\\", "\\\\"), command)
    return text
