"""An OpenAI-compatible gateway with keys, plans, quotas and accounting."""
