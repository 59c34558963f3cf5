"""Organizations, projects, plans, people and virtual keys, and who may do what with them.

::

    commands/ ─┐                        ┌─ service.Accounts ─► one transaction: the act, its audit event, the counter
    control/  ─┴─► acts (as functions) ─┘                                   │
    data plane ─► keyring.KeyRing (in memory) ◄── polls the counter, hears signals
"""
