"""A LangChain chat model and embeddings over routes."""

from __future__ import annotations

from .chat import MultiLLMOrchestrator
from .embeddings import MultiLLMEmbeddings

__all__ = ["MultiLLMEmbeddings", "MultiLLMOrchestrator"]
