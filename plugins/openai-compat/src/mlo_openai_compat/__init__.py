"""Provider for any server that speaks the OpenAI chat protocol."""
