"""Asks the Docker engine for the digest of the image behind a tag."""

from __future__ import annotations

import http.client
import json
import os
import socket
from typing import Any
from urllib.parse import quote, urlsplit

# If a registry takes longer, the tag alone is pinned.
SECONDS = 5.0


class _EngineConnection(http.client.HTTPConnection):
    """HTTP over the engine's socket."""

    def __init__(self, path: str) -> None:
        super().__init__("docker", timeout=SECONDS)
        self._path = path

    def connect(self) -> None:
        """Connects to the socket instead of a host."""
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(SECONDS)
        self.sock.connect(self._path)


def with_digests(answer: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    """The members of an answer that name container images, each image with its digest.

    Args:
        answer: The model's answer.
        schema: Its JSON schema. The members that name images have the format `container-image`, as a string or a list.
    """
    images = {}
    for name, member in schema.get("properties", {}).items():
        value = answer.get(name)
        if member.get("format") == "container-image" and isinstance(value, (str, list)):
            images[name] = with_digest(value) if isinstance(value, str) else [*map(with_digest, value)]
    return images


def with_digest(image: str) -> str:
    """Adds the digest to a reference, as the engine resolves it, from its own images or a registry.

    Args:
        image: The reference, such as `nginx:1.27`.

    Returns:
        The reference with its digest, such as `nginx:1.27@sha256:…`; as it was where it has one already, or
        where no engine answers or none can resolve it.
    """
    if "@" in image:
        return image
    try:
        digest = _own_digest(image) or _digest_of_registry(image)
    except (OSError, http.client.HTTPException, ValueError):
        return image
    return f"{image}@{digest}" if digest else image


def _own_digest(image: str) -> str | None:
    """The digest under which the engine got an image that it has; one that was built or imported has none."""
    digests = (_get(f"/images/{quote(image)}/json") or {}).get("RepoDigests")
    # The same image may have come from several repositories, each with a digest of its own.
    for reference in digests if isinstance(digests, list) else ():
        repository, _, digest = str(reference).partition("@")
        if _repository(repository) == _repository(image):
            return digest
    return None


def _repository(reference: str) -> str:
    """The whole name of a reference's repository, without its tag: `nginx:1` is in `docker.io/library/nginx`."""
    folder, slash, last = reference.rpartition("/")
    name = f"{folder}{slash}{last.partition(':')[0]}"
    first, slash, _ = name.partition("/")
    if not slash:
        return f"docker.io/library/{name}"
    is_registry = first == "localhost" or "." in first or ":" in first
    return name.replace("index.docker.io/", "docker.io/") if is_registry else f"docker.io/{name}"


def _digest_of_registry(image: str) -> str | None:
    """The digest from the image's registry."""
    descriptor = (_get(f"/distribution/{quote(image)}/json") or {}).get("Descriptor")
    return str(descriptor["digest"]) if isinstance(descriptor, dict) else None


def _get(path: str) -> dict[str, object] | None:
    address = urlsplit(os.environ.get("DOCKER_HOST") or "unix:///var/run/docker.sock")
    connection: http.client.HTTPConnection
    if address.scheme == "unix":
        connection = _EngineConnection(address.path)
    elif address.scheme == "tcp" and address.hostname and not os.environ.get("DOCKER_TLS_VERIFY"):
        connection = http.client.HTTPConnection(address.hostname, address.port or 2375, timeout=SECONDS)
    else:
        return None
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        found: dict[str, object] | None = json.loads(answer.read()) if answer.status == 200 else None
        return found
    finally:
        connection.close()
