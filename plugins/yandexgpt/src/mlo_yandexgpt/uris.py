"""Model URIs: ``gpt://FOLDER/NAME/BRANCH@SUFFIX``, read and built."""

from __future__ import annotations

import re

from attrs import evolve, frozen

from mlo.errors import ModelNotFound

__all__ = ["ModelUri", "folder_fault", "model_uri"]

_WHOLE = re.compile(r"(?P<scheme>[a-z]+)://(?P<folder>[^/\s]+)/(?P<rest>\S+)")
_REST = re.compile(r"(?P<name>[\w.\-]+)(?:/(?P<branch>[\w.\-]+))?(?:@(?P<suffix>[\w.\-]+))?")
_OWN = ("yandexgpt", "aliceai", "summarization")


@frozen(kw_only=True)
class ModelUri:
    """A model URI in its parts; ``str`` puts it together."""

    scheme: str
    folder: str
    name: str
    branch: str = "latest"
    suffix: str | None = None

    def __str__(self) -> str:
        tuned = f"@{self.suffix}" if self.suffix else ""
        return f"{self.scheme}://{self.folder}/{self.name}/{self.branch}{tuned}"

    @property
    def looks_own(self) -> bool:
        """Whether the name is of the families that Yandex makes itself."""
        return self.name.startswith(_OWN)


def model_uri(text: str, folder_id: str, scheme: str = "gpt") -> ModelUri:
    """``text`` as a URI: a whole one as it is, a name with the folder of the configuration.

    Raises:
        ModelNotFound: when it is neither, or a kind that no longer exists.
    """
    text = text.strip()
    if text.startswith("ds://"):
        raise ModelNotFound(f"{text!r}: models tuned in DataSphere have not been served since 2025-05-15")
    whole = _WHOLE.fullmatch(text)
    if whole is None and "://" in text:
        raise ModelNotFound(f"{text!r} is not a model URI: write gpt://FOLDER/NAME/BRANCH, or just NAME/BRANCH")
    rest = _REST.fullmatch(whole["rest"] if whole else text)
    if rest is None:
        raise ModelNotFound(f"{text!r} is not a model: write NAME, NAME/BRANCH or NAME/BRANCH@SUFFIX")
    found = ModelUri(scheme=scheme, folder=folder_id, name=rest["name"], suffix=rest["suffix"])
    if rest["branch"]:
        found = evolve(found, branch=rest["branch"])
    if whole is None:
        return found
    fault = folder_fault(whole["folder"])
    if fault:
        raise ModelNotFound(f"{text!r}: {fault}")
    return evolve(found, scheme=whole["scheme"], folder=whole["folder"])


def folder_fault(folder_id: str) -> str | None:
    """What is wrong with a folder id, if anything is."""
    if not folder_id.strip():
        return "there is no folder id; the console shows it beside the folder's name, it begins with b1g"
    if folder_id.startswith("aje"):
        return f"{folder_id} is the id of a service account; a folder's begins with b1g"
    if not re.fullmatch(r"[\w-]+", folder_id):
        return f"{folder_id!r} is not a folder id, which is letters and digits and begins with b1g"
    return None
