"""The models that exist in the emulated cloud, and how their URIs are read."""

from __future__ import annotations

import re
from collections.abc import Mapping

from attrs import frozen

from .failures import Failure, bad_request

__all__ = ["MODELS", "Model", "find"]

_URI = re.compile(
    r"^(?P<scheme>\w+)://(?P<folder>[^/]+)/(?P<name>[^/@]+)(?:/(?P<branch>[^/@]+))?(?:@(?P<tune>[\w-]+))?$"
)


@frozen(kw_only=True)
class Model:
    """A model. ``own`` tells Yandex's models from open-weight ones, which answer in another dialect."""

    name: str
    scheme: str = "gpt"
    owned_by: str = "Yandex"
    context: int = 32768
    version: str = "05.08.2025"
    dimensions: int = 256

    @property
    def own(self) -> bool:
        """Whether Yandex made it."""
        return self.owned_by == "Yandex"


_ALL = (
    Model(name="yandexgpt"),
    Model(name="yandexgpt-5-pro"),
    Model(name="yandexgpt-5.1"),
    Model(name="yandexgpt-lite"),
    Model(name="yandexgpt-5-lite"),
    Model(name="aliceai-llm"),
    Model(name="qwen3-235b-a22b-fp8", owned_by="Alibaba", context=262144),
    Model(name="gpt-oss-120b", owned_by="OpenAI", context=131072),
    Model(name="gpt-oss-20b", owned_by="OpenAI", context=131072),
    Model(name="gemma-3-27b-it", owned_by="Google", context=131072),
    Model(name="deepseek-v32", owned_by="DeepSeek", context=131072),
    Model(name="text-search-doc", scheme="emb", context=2048),
    Model(name="text-search-query", scheme="emb", context=2048),
    Model(name="text-embeddings-v2-doc", scheme="emb", context=2048),
    Model(name="text-embeddings-v2-query", scheme="emb", context=2048),
    Model(name="yandexgpt-lite", scheme="cls", context=8000),
)
MODELS: Mapping[tuple[str, str], Model] = {(model.scheme, model.name): model for model in _ALL}


def find(uri: str, folder: str, *schemes: str) -> Model:
    """The model of ``uri``.

    Raises:
        Failure: 400 for what is not a URI or names another folder, 404 for a model that is not there.
    """
    match = _URI.match(uri)
    if match is None or match["scheme"] not in schemes:
        raise bad_request("invalid model_uri")
    if match["folder"] != folder:
        raise bad_request(
            f"Specified folder ID '{match['folder']}' does not match with service account folder ID '{folder}'"
        )
    model = MODELS.get((match["scheme"], match["name"]))
    if model is None:
        raise Failure(404, f"Failed to get model '{uri}'")
    return model
