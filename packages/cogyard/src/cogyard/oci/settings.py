"""How registries are reached on this machine: environment and docker's configuration, read in one place."""

from __future__ import annotations

from collections.abc import Mapping

from cogyard.oci.authorization import Credential
from cogyard.oci.client import RegistryClient
from cogyard.oci.credentials import config_path, find
from cogyard.oci.errors import InvalidReferenceError
from cogyard.oci.reference import DEFAULT_HOST, Reference, is_host

INSECURE = "COGYARD_INSECURE_REGISTRIES"
MIRROR = "COGYARD_REGISTRY_MIRROR"


def connect(host: str, environment: Mapping[str, str]) -> RegistryClient:
    """Return a client for a registry, with the credentials kept for it."""
    return client_for(host, environment, find(host, config_path(environment)))


def client_for(host: str, environment: Mapping[str, str], credential: Credential | None) -> RegistryClient:
    """Return a client for a registry with these credentials; http where the settings allow it."""
    insecure = {each.strip() for each in environment.get(INSECURE, "").split(",")}
    return RegistryClient(host, credential=credential, insecure=host in insecure)


def mirrored(reference: Reference, environment: Mapping[str, str]) -> Reference:
    """Return where to pull an image of Docker Hub from: `COGYARD_REGISTRY_MIRROR`, HOST[:PORT][/prefix], if set.

    Raises InvalidReferenceError for a mirror that is not one.
    """
    mirror = environment.get(MIRROR, "").strip().rstrip("/")
    if not mirror or reference.host != DEFAULT_HOST:
        return reference
    host, _, prefix = mirror.partition("/")
    if "://" in mirror or not is_host(host):
        raise InvalidReferenceError(f"{MIRROR} is {mirror!r}; it is HOST[:PORT] or HOST[:PORT]/prefix")
    repository = f"{prefix}/{reference.repository}" if prefix else reference.repository
    return Reference(host=host, repository=repository, tag=reference.tag, digest=reference.digest)
