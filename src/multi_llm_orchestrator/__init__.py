"""Umbrella distribution: installs the kernel, the SDK, routing, the mock provider and the command line.

The code lives in ``mlo`` (kernel), ``mlo_sdk`` (toolkit) and one ``mlo_<name>`` package per plugin.
"""
