"""Commands ask, chat, models, health and embed for the mlo command."""
