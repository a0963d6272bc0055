"""Print rows of the shipped table of frameworks, read from the index that uv is set to.

They go into `TABLE` of `packages/cogyard/src/cogyard/environment/frameworks.py`, which is for when no index can be
reached: it may lag, and nothing is refused for not being in it.
"""

from __future__ import annotations

import argparse

from cogyard.environment import Target, UnresolvableError
from cogyard.environment.answer import answer
from cogyard.environment.asked import Asked
from cogyard.environment.cuda import CUDNN, TELLING
from cogyard.environment.wish import Wish

PYTHONS = ("3.12", "3.11", "3.10", "3.13", "3.14")


def row(package: str, version: str) -> str:
    """Return the row of a release: what its packages bring on Linux."""
    for python in PYTHONS:
        asked = Asked(lines=(f"{package}=={version}",), wish=Wish(gpu=True))
        try:
            found = answer(asked, Target(python=python, platform="linux/amd64"))
        except UnresolvableError:
            continue
        versions = {str(one["name"]): str(one["version"]) for one in found.document["packages"]}
        cuda = sorted(versions[name] for name in versions if TELLING.match(name) and "runtime" in name)
        cudnn = sorted(versions[name] for name in versions if CUDNN.match(name))
        parts = [".".join(one[0].split(".")[:2]) if one else "" for one in (cuda, cudnn)]
        release = ".".join(version.split(".")[:2])
        return f'    _row("{package}", "{release}", "{parts[0]}", "{parts[1]}"),'
    return f"    # {package} {version}: nothing fits {', '.join(PYTHONS)}"


def main() -> None:
    """Print a row for each `package==version` of the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("releases", nargs="+", metavar="PACKAGE==VERSION")
    for release in parser.parse_args().releases:
        package, _, version = release.partition("==")
        print(row(package, version), flush=True)


if __name__ == "__main__":
    main()
