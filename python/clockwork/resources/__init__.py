"""What can be declared in a main.py. The index of the built-in kinds."""

from clockwork.resources.base import ArtifactSize, Resource
from clockwork.resources.docker_service import DockerServiceResource
from clockwork.resources.file import FileResource
from clockwork.resources.group import Group

__all__ = ["ArtifactSize", "DockerServiceResource", "FileResource", "Group", "Resource"]
