"""What the ledger tells: usage and costs of a period, and whether the books are in order."""
