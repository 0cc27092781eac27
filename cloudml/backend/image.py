"""Images of containers: what a backend must know so that `cloudml build` can bake one for it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from cloudml.backend.port import Target


@dataclass(frozen=True)
class ImagePlan:
    """What an image is made of, and where it goes.

    `repository` is an address without a tag, `tag` names the content: equal content, equal tag. `files` lie beside the
    Dockerfile. `setting`: the setting of the target that names the image.
    """

    repository: str
    tag: str
    base: str
    dockerfile: str
    files: Mapping[str, bytes] = field(default_factory=dict)
    platform: str = "linux/amd64"
    setting: str = "image"

    @property
    def uri(self) -> str:
        return f"{self.repository}:{self.tag}"


@dataclass(frozen=True)
class Login:
    """How a container engine signs in to a registry. The password is never shown, and goes through stdin only."""

    host: str
    user: str
    password: str = field(repr=False)


class Images(Protocol):
    """Where a backend's images lie. `plan` is pure but for the project's files; all else asks the provider."""

    def plan(self, target: Target, base: str | None = None, *, serving: bool = False) -> ImagePlan:
        """The image of a target's jobs, or of its endpoints. Raises SpecError, Refused (CML545)."""

    def resolve(self, target: Target, base: str) -> str:
        """The same image by its digest, where the registry tells; else as it is."""

    def find(self, target: Target, plan: ImagePlan) -> str | None:
        """The pushed image by its digest, None when it is not there. Raises Refused (CML545) for an unusable one."""

    def prepare(self, target: Target, plan: ImagePlan) -> None:
        """Make the repository, unless it is there."""

    def logins(self, target: Target, plan: ImagePlan) -> tuple[Login, ...]:
        """For the registries that the base is pulled from and the image pushed to."""
