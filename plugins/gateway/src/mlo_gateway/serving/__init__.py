"""The running gateway: sockets, workers, health, draining and reloading."""
