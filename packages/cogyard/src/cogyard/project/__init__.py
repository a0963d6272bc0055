"""A model's folder: cog.yaml parsed and diagnosed, and the files cog init writes."""

from __future__ import annotations

from cogyard.project.errors import NotInSourceError, Problem, ProjectError, ProjectMissingError
from cogyard.project.project import CONFIG_NAME, Project, find_root, load_project
from cogyard.project.values import Build, Concurrency, Config, RunCommand, SecretMount, Weights

__all__ = [
    "CONFIG_NAME",
    "Build",
    "Concurrency",
    "Config",
    "NotInSourceError",
    "Problem",
    "Project",
    "ProjectError",
    "ProjectMissingError",
    "RunCommand",
    "SecretMount",
    "Weights",
    "find_root",
    "load_project",
]
