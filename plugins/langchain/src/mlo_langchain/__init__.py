"""A LangChain chat model and embeddings over routes."""
