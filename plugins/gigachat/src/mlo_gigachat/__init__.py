"""GigaChat provider."""
