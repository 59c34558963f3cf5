"""Ollama for Multi-LLM Orchestrator: local models, and the hosted service, by the native API."""

from __future__ import annotations
