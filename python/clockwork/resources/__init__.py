"""The built-in kinds, and all other names for a main.py."""

from clockwork.resources.base import ArtifactSize, Resource
from clockwork.resources.directory import DirectoryResource
from clockwork.resources.docker_service import DockerServiceResource
from clockwork.resources.file import FileResource
from clockwork.resources.generated import Generated
from clockwork.resources.group import Component, Group
from clockwork.resources.operation import HostData, Operation, Output, Secret

__all__ = [
    "ArtifactSize",
    "Component",
    "DirectoryResource",
    "DockerServiceResource",
    "FileResource",
    "Generated",
    "Group",
    "HostData",
    "Operation",
    "Output",
    "Resource",
    "Secret",
]
