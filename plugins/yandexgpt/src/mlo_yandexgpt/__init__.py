"""YandexGPT provider."""
