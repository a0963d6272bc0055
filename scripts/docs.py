"""Write the generated pages, or with `--check` say which are stale and which prose names things that are not there.

Checked: generated pages equal what their generator gives; every repository path named in prose exists; every relative
link leads somewhere; each page that has a Chinese twin has as many headings and code blocks as it; no two decisions
have one number; the overview lists every how-to.
"""

from __future__ import annotations

import argparse
import importlib
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
GENERATED = {
    "docs/reference/cli.md": "cogyard.cli.reference:page",
    "docs/reference/cog-yaml.md": "cogyard.project.reference:page",
    "docs/reference/lifecycle.md": "cog_server.lifecycle_page:render",
    "docs/reference/settings.md": "cogyard.compose.settings_page:reference",
    "spec/cog-yaml.schema.json": "cogyard.project.reference:schema_text",
}
TWINS = {"README.md": "README.zh-CN.md", "docs/tutorial.md": "docs/zh/tutorial.md"}
ROOMS = ("packages", "docs", "spec", "tests", "bench", "examples", "scripts", "changelog.d", ".ci")
NAMED = re.compile(r"`((?:%s)(?:/[\w.\-]+)*/?)`" % "|".join(re.escape(room) for room in ROOMS))  # noqa: UP031 - braces
LINK = re.compile(r"\]\(([^)#\s]+)(?:#[^)]*)?\)")
FENCE = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)


def pages() -> Iterator[Path]:
    """Yield every Markdown page that git knows or could know."""
    listing = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "*.md"]
    for line in subprocess.run(
        listing, cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.splitlines():
        if (ROOT / line).exists():
            yield ROOT / line


def stale(*, write: bool) -> Iterator[str]:
    """Yield a line for each generated page that differs; with `write`, write them instead."""
    for name, generator in GENERATED.items():
        module, _, function = generator.partition(":")
        text: str = getattr(importlib.import_module(module), function)()
        path = ROOT / name
        if write:
            path.write_text(text, encoding="utf-8")
        elif not path.exists() or path.read_text(encoding="utf-8") != text:
            yield f"{name}: differs from what {generator} gives; run scripts/docs.py"


def missing(page: Path) -> Iterator[str]:
    """Yield a line for each path or link of a page that leads nowhere."""
    text = page.read_text(encoding="utf-8")
    shown = page.relative_to(ROOT)
    for named in NAMED.findall(text):
        if not (ROOT / named).exists():
            yield f"{shown}: names {named}, which is not there"
    for link in LINK.findall(FENCE.sub("", text)):
        if "://" not in link and not link.startswith("mailto:") and not (page.parent / link).exists():
            yield f"{shown}: links to {link}, which is not there"


def untranslated() -> Iterator[str]:
    """Yield a line for each pair of pages that are not at the same level."""
    for name, twin in TWINS.items():
        first, second = ROOT / name, ROOT / twin
        if not (first.exists() and second.exists()):
            yield f"{name} and {twin}: one of them is missing"
            continue
        for what, pattern in (("headings", r"^#+ "), ("code blocks", r"^```\w")):
            counts = [
                len(re.findall(pattern, page.read_text(encoding="utf-8"), re.MULTILINE))
                for page in (first, second)
            ]
            if counts[0] != counts[1]:
                yield f"{name} has {counts[0]} {what} and {twin} has {counts[1]}"


def misnumbered() -> Iterator[str]:
    """Yield a line for each decision whose number another one has, or whose title has another number."""
    seen: dict[str, str] = {}
    for page in sorted((ROOT / "docs" / "decisions").glob("[0-9]*.md")):
        number = page.name[:4]
        if number in seen:
            yield f"{page.name}: {seen[number]} has that number already"
        seen[number] = page.name
        if not page.read_text(encoding="utf-8").startswith(f"# {number}. "):
            yield f"{page.name}: its title does not begin with {number}"


def unlisted() -> Iterator[str]:
    """Yield a line for each how-to that the overview does not lead to."""
    linked = set(LINK.findall((ROOT / "docs" / "overview.md").read_text(encoding="utf-8")))
    for page in sorted((ROOT / "docs" / "how-to").glob("*.md")):
        if f"how-to/{page.name}" not in linked:
            yield f"docs/overview.md: does not list docs/how-to/{page.name}"


def main() -> int:
    """Write or check; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="change nothing; say what is wrong")
    check = parser.parse_args().check
    problems = [
        *stale(write=not check),
        *(line for page in pages() for line in missing(page)),
        *untranslated(),
        *misnumbered(),
        *unlisted(),
    ]
    print("\n".join(problems) or "docs: every page is as it should be")
    return 1 if problems else 0


if __name__ == "__main__":
    raise SystemExit(main())
