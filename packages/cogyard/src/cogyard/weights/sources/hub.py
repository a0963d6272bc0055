"""A repository of the Hugging Face hub, at one commit: hf://OWNER/NAME, or hf://OWNER/NAME@REVISION.

HF_ENDPOINT names another hub, HF_TOKEN a token for private repositories: the variables that the hub's own tools read.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from urllib.parse import quote

import httpx2
import msgspec

from cogyard.weights.errors import SourceError
from cogyard.weights.files import WeightFiles
from cogyard.weights.paths import path_problem
from cogyard.weights.sources.base import Listing, Progress, SourceFile
from cogyard.weights.sources.web import Fetching, digest_or_none
from cogyard.weights.wishes import HUB

_DEFAULT = "https://huggingface.co"
_ADDRESS = re.compile(r"([\w.-]{1,96}/[\w.-]{1,96})(?:@([\w./-]{1,200}))?", re.ASCII)
_COMMIT = re.compile(r"[0-9a-f]{40}\Z")


class _Large(msgspec.Struct):
    sha256: str | None = None


class _Sibling(msgspec.Struct):
    rfilename: str
    size: int | None = None
    lfs: _Large | None = None


class _Model(msgspec.Struct):
    sha: str
    siblings: list[_Sibling] = []


@dataclass(frozen=True, kw_only=True)
class HubSource:
    """The files of a repository, all of one commit, which names its moment."""

    uri: str
    repository: str
    revision: str
    endpoint: str
    fetching: Fetching

    @classmethod
    def of(cls, uri: str, environment: Mapping[str, str], progress: Progress) -> HubSource:
        """Return the source of an address. Raises SourceError."""
        match = _ADDRESS.fullmatch(uri.removeprefix(HUB))
        if match is None:
            raise SourceError(f"{uri[:100]!r} is not hf://OWNER/NAME or hf://OWNER/NAME@REVISION")
        token = environment.get("HF_TOKEN", "").strip()
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        return cls(
            uri=uri,
            repository=match[1],
            revision=match[2] or "main",
            endpoint=(environment.get("HF_ENDPOINT") or _DEFAULT).rstrip("/"),
            fetching=Fetching(headers=headers, progress=progress),
        )

    def list(self, takes: Callable[[str], bool]) -> Listing:
        """Return the files that are taken."""
        model = self._model()
        files = tuple(self._file(each, model.sha) for each in model.siblings if takes(each.rfilename))
        return Listing(files=files, fingerprint=f"commit:{model.sha}")

    def _model(self) -> _Model:
        revision = quote(self.revision, safe="")
        url = f"{self.endpoint}/api/models/{self.repository}/revision/{revision}?blobs=true"
        try:
            with self.fetching.client() as client:
                answer = client.get(url)
        except httpx2.TransportError as error:
            raise SourceError(
                f"{self.uri} cannot be looked at: {str(error) or type(error).__name__}",
                hint="HF_ENDPOINT names another hub, such as a mirror.",
            ) from None
        if answer.status_code != 200:
            raise SourceError(
                f"{self.uri} cannot be looked at: the hub answered {answer.status_code}",
                hint="Are name and revision right? A private one needs a token in HF_TOKEN.",
            )
        try:
            model = msgspec.json.decode(answer.content, type=_Model)
        except msgspec.MsgspecError as error:
            raise SourceError(f"the hub's answer about {self.uri} is not understood: {error}") from None
        if not _COMMIT.match(model.sha):
            raise SourceError(f"the hub calls the commit of {self.uri} {model.sha[:60]!r}")
        return model

    def _file(self, sibling: _Sibling, commit: str) -> SourceFile:
        path = sibling.rfilename
        if (problem := path_problem(path)) is not None:
            raise SourceError(f"{path!r:.120} in {self.uri} {problem}", hint="Leave it out: exclude: [...]")
        url = f"{self.endpoint}/{self.repository}/resolve/{commit}/{quote(path)}"
        expected = digest_or_none(sibling.lfs.sha256) if sibling.lfs is not None else None
        return SourceFile(
            path=path, size=sibling.size, take=partial(self._take, url, path, expected, sibling.size)
        )

    def _take(
        self, url: str, path: str, expected: str | None, size: int | None, files: WeightFiles
    ) -> tuple[str, int]:
        if expected is not None and size is not None and files.has(expected, size):
            return expected, size
        return self.fetching.take(url, path, expected, files)
