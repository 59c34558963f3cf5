"""Suites for ``mlo plugins conformance`` of the plugins whose servers are emulated here.

They know the plugins by their ids only. Like every suite they need the contract kit: ``mlo-sdk[testing]``.
"""
