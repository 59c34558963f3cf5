"""Accounting of every call in roubles, and budgets that hold."""
