"""An emulated GigaChat: OAuth, chat v1 and v2, files, embeddings, token counts, models, balance.

Not emulated: batches, AI detection, assistants and threads.
"""

from __future__ import annotations

from .app import create_app, hints
from .options import Options
from .state import Emulator

__all__ = ["Emulator", "Options", "create_app", "hints"]
