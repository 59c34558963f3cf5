"""Local servers that speak the GigaChat, YandexGPT, Ollama and OpenAI protocols."""
