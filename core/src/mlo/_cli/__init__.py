"""The executable ``mlo``. It runs with every plugin broken, and imports only what the command at hand needs."""
