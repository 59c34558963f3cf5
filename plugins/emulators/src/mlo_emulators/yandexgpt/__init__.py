"""YandexGPT and what it needs of Yandex Cloud: completion, operations, IAM, metadata, the OpenAI-compatible side."""

from __future__ import annotations

from collections.abc import Sequence

from .app import create_app
from .options import AuthorizedKey, Options
from .world import World

__all__ = ["AuthorizedKey", "Options", "World", "create_app", "hints"]


def hints(url: str) -> Sequence[str]:
    """What to put into a configuration, for people who run the emulator by hand."""
    options = Options()
    return (
        f"base_url       {url}  (models, IAM, metadata, operations and /v1: all here)",
        f"folder_id      {options.folder_id}",
        f"API key        {options.api_keys[0]}",
        f"OAuth token    {options.oauth_tokens[0]}",
    )
