"""GigaChat for Multi-LLM Orchestrator. Importing this package loads nothing."""
