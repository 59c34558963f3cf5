"""The commands ``mlo usage``, ``mlo prices`` and ``mlo ledger``."""
