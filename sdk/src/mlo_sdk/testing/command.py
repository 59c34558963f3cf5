"""The contract of subcommands of ``mlo``.

A plugin's test file is a subclass that says which command it is about::

    from mlo_acme.commands import acme
    from mlo_sdk.testing import CommandContract

    class TestAcme(CommandContract):
        name = "acme"
        command = staticmethod(acme)
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import entry_points
from typing import Any, ClassVar

import pytest

from mlo.errors import MloError

from .demands import demand, needs, switch_off

__all__ = ["CommandContract"]


class CommandContract:
    """What ``mlo`` relies on in a subcommand.

    Class attributes to set:

    ``name``         how it is called (required)
    ``command``      the function, as a ``staticmethod`` (required)
    ``published``    whether an entry point must offer it (``False`` for a command made in a test)
    """

    name: ClassVar[str]
    command: ClassVar[Any]
    published: ClassVar[bool] = True
    switched_off: ClassVar[Mapping[str, str]] = {}

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls.switched_off = switch_off(cls, CommandContract, {"published"} if cls.published else set())

    @needs("published")
    def test_an_entry_point_offers_the_command(self) -> None:
        """The name that users type leads to the function."""
        found = entry_points(group="mlo.v1.commands", name=self.name)
        demand(found, f"no entry point {self.name!r} in the group mlo.v1.commands is installed")
        demand(any(each.load() is self.command for each in found), "the entry point leads to another function")

    def test_it_can_be_called(self) -> None:
        """It is a function, not a module or a click object that would end the program by itself."""
        demand(callable(self.command), f"a command is called with its arguments, and {self.command!r} cannot be")

    def test_help_is_printed(self, capsys: pytest.CaptureFixture[str]) -> None:
        """``--help`` prints to the standard output and succeeds."""
        code = self._run("--help")
        printed = capsys.readouterr()
        demand(code == 0, f"--help ends with the exit code {code}, not 0")
        demand(printed.out.strip(), "--help prints nothing")
        demand(not printed.err, f"--help writes to the standard error: {printed.err[:80]!r}")

    def test_an_unknown_option_is_a_mistake_in_usage(self, capsys: pytest.CaptureFixture[str]) -> None:
        """It is refused with the exit code 2 and an explanation on the standard error."""
        code = self._run("--no-such-option")
        printed = capsys.readouterr()
        demand(code == 2, f"an unknown option ends with the exit code {code}, not 2")
        demand(printed.err.strip(), "nothing on the standard error says what is wrong")
        demand(not printed.out, "a mistake in usage belongs to the standard error, not to the output")

    def _run(self, *arguments: str) -> object:
        """The exit code, however it comes."""
        try:
            return self.command(list(arguments))
        except SystemExit as stop:
            return 0 if stop.code is None else stop.code
        except MloError as error:
            return f"of {type(error).__name__}: {error}"
