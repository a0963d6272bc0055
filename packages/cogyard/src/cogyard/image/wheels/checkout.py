"""One commit of a git repository, by the `git` of this machine."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote, urlsplit

from cogyard.image.errors import DownloadError

Login = Callable[[str], tuple[str, str] | None]
_COMMIT = re.compile(r"[0-9a-f]{40,64}")


def checkout(url: str, commit: str, folder: Path, login: Login = lambda _: None) -> Path:
    """Fetch a commit into a new folder and return it; `login` gives user and password where the server wants them.

    Raises DownloadError: no git here, no such commit, nobody there.
    """
    git = shutil.which("git")
    if git is None:
        raise DownloadError(
            f"{url} is a git repository, and there is no git on this machine", hint="Install git."
        )
    if _COMMIT.fullmatch(commit) is None or url.startswith("-"):
        raise DownloadError(
            f"the lock names no commit of {url} but {commit[:60]!r}", hint="`cog lock` writes it anew."
        )
    folder.mkdir(parents=True)
    environment = {**os.environ, **_settings(url, login), "GIT_TERMINAL_PROMPT": "0"}
    for arguments in (
        ["init", "--quiet"],
        ["fetch", "--quiet", "--depth", "1", url, commit],
        ["checkout", "--quiet", "--detach", commit],
    ):
        done = subprocess.run(
            [git, *arguments], cwd=folder, env=environment, capture_output=True, text=True, check=False
        )
        if done.returncode != 0 and arguments[0] == "fetch":
            # a server may give branches only, not any commit
            done = _all(git, url, folder, environment)
        if done.returncode != 0:
            said = re.sub(r"(\w+://)[^/\s@]+@", r"\1***@", done.stderr.strip())
            raise DownloadError(f"commit {commit[:12]} of {url} cannot be fetched:\n  {said[-500:]}")
    return folder


def _all(git: str, url: str, folder: Path, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    fetch = [git, "fetch", "--quiet", "--tags", url, "+refs/heads/*:refs/remotes/origin/*"]
    return subprocess.run(fetch, cwd=folder, env=environment, capture_output=True, text=True, check=False)


def _settings(url: str, login: Login) -> dict[str, str]:
    """Return git's settings that give a password: variables, since arguments can be read by everybody."""
    known = login(url)
    parts = urlsplit(url)
    if known is None or parts.scheme not in {"http", "https"}:
        return {}
    user, password = (quote(part, safe="") for part in known)
    first = int(os.environ.get("GIT_CONFIG_COUNT") or 0)
    server = f"{parts.scheme}://{parts.netloc}/"
    return {
        f"GIT_CONFIG_KEY_{first}": f"url.{parts.scheme}://{user}:{password}@{parts.netloc}/.insteadOf",
        f"GIT_CONFIG_VALUE_{first}": server,
        "GIT_CONFIG_COUNT": str(first + 1),
    }
