"""Commands of ``mlo`` that belong to the gateway. Light: what they run is imported when they run."""
