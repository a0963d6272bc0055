"""Releases of frameworks that do not say in their metadata which CUDA they were built for: a shipped table."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Row:
    """One minor release: its CUDA and cuDNN; `bundles` when the wheel carries them, else the machine must."""

    package: str
    release: str
    cuda: str
    cudnn: str = ""
    bundles: bool = False


#: Only releases whose wheels name no packages of NVIDIA's: what the index says about the others is never older than
#: this table. From the projects' own tables of tested builds.
TABLE = (
    Row(package="torch", release="1.11", cuda="10.2", cudnn="7.6", bundles=True),
    Row(package="torch", release="1.12", cuda="10.2", cudnn="7.6", bundles=True),
    Row(package="tensorflow", release="2.8", cuda="11.2", cudnn="8.1"),
    Row(package="tensorflow", release="2.9", cuda="11.2", cudnn="8.1"),
    Row(package="tensorflow", release="2.10", cuda="11.2", cudnn="8.1"),
    Row(package="tensorflow", release="2.11", cuda="11.2", cudnn="8.1"),
    Row(package="tensorflow", release="2.12", cuda="11.8", cudnn="8.6"),
    Row(package="tensorflow", release="2.13", cuda="11.8", cudnn="8.6"),
    Row(package="tensorflow", release="2.14", cuda="11.8", cudnn="8.7"),
    Row(package="tensorflow", release="2.15", cuda="12.2", cudnn="8.9"),
    Row(package="tensorflow", release="2.16", cuda="12.3", cudnn="8.9"),
    Row(package="tensorflow", release="2.17", cuda="12.3", cudnn="8.9"),
    Row(package="tensorflow", release="2.18", cuda="12.5", cudnn="9.3"),
    Row(package="tensorflow", release="2.19", cuda="12.5", cudnn="9.3"),
    Row(package="tensorflow", release="2.20", cuda="12.5", cudnn="9.3"),
)


def bundled(package: str, version: str) -> Row | None:
    """Return the row of a release whose metadata names no CUDA; None for one that is not in the table."""
    release = ".".join(version.split("+", maxsplit=1)[0].split(".")[:2])
    if "+cpu" in version:
        return None
    return next((row for row in TABLE if (row.package, row.release) == (package, release)), None)
