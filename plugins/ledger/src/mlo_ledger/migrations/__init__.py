"""Versions of the ledger's tables: one module each, which never changes once it is released."""
