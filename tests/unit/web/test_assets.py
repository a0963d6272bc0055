"""Third-party scripts are what we say they are, and pages ask for what is there."""

from __future__ import annotations

import base64
import hashlib
import re
from pathlib import Path

from cogyard.web import assets
from cogyard.web.rendering import HTMX, TEMPLATES


def test_the_vendored_script_has_the_hash_its_table_names() -> None:
    """The file, the table that says where it is from, and the integrity on the page agree."""
    data = (assets.STATIC / HTMX).read_bytes()
    digest = base64.b64encode(hashlib.sha384(data).digest()).decode()
    table = (assets.STATIC / "vendor/README.md").read_text()
    assert f"`{digest}`" in table
    assert f"`{Path(HTMX).name}`" in table
    assert assets.script(HTMX).integrity == f"sha384-{digest}"
    assert 'integrity="{{ htmx.integrity }}"' in (TEMPLATES / "base.html").read_text()


def test_every_vendored_script_is_in_the_table() -> None:
    """Nobody adds a script without saying where it is from and under which licence."""
    table = (assets.STATIC / "vendor/README.md").read_text()
    for path in (assets.STATIC / "vendor").iterdir():
        assert f"`{path.name}`" in table or path.name == "README.md"


def test_templates_ask_only_for_files_that_are_there() -> None:
    """No page names a static file that does not exist."""
    for template in TEMPLATES.glob("*.html"):
        for name in re.findall(r"asset\('([^']+)'\)", template.read_text()):
            assert (assets.STATIC / name).is_file(), f"{template.name} asks for {name}"


def test_modules_import_only_modules_that_are_there() -> None:
    """Relative imports of our scripts resolve."""
    for module in assets.STATIC.glob("*.js"):
        for name in re.findall(r'from "\./([^"]+)"', module.read_text()):
            assert (assets.STATIC / name).is_file(), f"{module.name} imports {name}"


def test_no_template_needs_inline_code_or_style() -> None:
    """The content security policy forbids inline scripts, handlers and styles, so no template has one."""
    for template in TEMPLATES.glob("*.html"):
        text = template.read_text()
        assert not re.search(r"<script(?![^>]*\bsrc=)", text), template.name
        assert not re.search(r"\son[a-z]+=", text), template.name
        assert "style=" not in text, template.name
        assert "|safe" not in text.replace(" ", ""), template.name


def test_an_address_changes_with_any_file(tmp_path: Path) -> None:
    """A browser that keeps files for good never keeps old ones for new."""
    (tmp_path / "a.js").write_text("1")
    before = assets.Assets(tmp_path).url("a.js")
    (tmp_path / "a.js").write_text("2")
    assert assets.Assets(tmp_path).url("a.js") != before
