"""Ollama provider for local models."""
