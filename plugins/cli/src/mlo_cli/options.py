"""Command-line options in the reader's language, and the ones that several commands share."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal

import click
from click.shell_completion import CompletionItem

from .texts import text

__all__ = [
    "Command",
    "InputFile",
    "Number",
    "UsageProblem",
    "aim_options",
    "configured",
    "flag",
    "json_option",
    "option",
    "sampling_options",
    "setup_options",
    "speech_options",
]


class UsageProblem(click.UsageError):
    """The arguments do not make sense; the message is in the reader's language."""


class Number(click.ParamType):  # type: ignore[type-arg]  # generic only from click 8.4 on
    """A finite number, whole if ``whole``, not below ``low``, and above it if ``open_end``."""

    def __init__(self, *, whole: bool = False, low: float = 0.0, open_end: bool = False) -> None:
        self.name = "integer" if whole else "number"
        self._whole, self._low, self._open_end = whole, low, open_end

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float | int:
        """The number that ``value`` spells."""
        try:
            number: float = int(value) if self._whole else float(value)
        except ValueError:
            self.fail(text("usage.not_whole" if self._whole else "usage.not_number", value=value), param, ctx)
        if not math.isfinite(number) or number < self._low or (self._open_end and number == self._low):
            bound = f"{'>' if self._open_end else '>='} {self._low:g}"
            self.fail(text("usage.out_of_range", value=value, bound=bound), param, ctx)
        return number


class InputFile(click.ParamType):  # type: ignore[type-arg]  # generic only from click 8.4 on
    """A file that can be read, as a :class:`~pathlib.Path`."""

    name = "file"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Path:
        """The path, if there is a readable file."""
        path = Path(value)
        if not path.is_file() or not os.access(path, os.R_OK):
            self.fail(text("usage.no_file", path=path), param, ctx)
        return path

    def shell_complete(self, _ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        """Leave it to the shell, which completes file names itself."""
        return [CompletionItem(incomplete, type="file")]


class Command(click.Command):
    """A command whose framework words are translated too, with ``-h`` and ``--help``."""

    def __init__(self, name: str, *, params: Sequence[click.Parameter], callback: Callable[..., int]) -> None:
        shared = [flag("--debug", key="debug"), _help_option()]
        super().__init__(
            name,
            params=[*params, *shared],
            callback=callback,
            help=text(f"{name}.help"),
            epilog=text(f"{name}.epilog"),
            add_help_option=False,
            options_metavar=text("help.options_metavar"),
            context_settings={"allow_extra_args": True},
        )

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Take the arguments apart.

        Raises:
            UsageProblem: when more are given than the command takes.
        """
        super().parse_args(ctx, args)
        if ctx.args and not ctx.resilient_parsing:
            raise UsageProblem(text("usage.extra", arguments=" ".join(ctx.args)), ctx)
        return ctx.args

    def format_usage(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The usage line."""
        pieces = " ".join(self.collect_usage_pieces(ctx))
        formatter.write_usage(ctx.command_path, pieces, prefix=text("help.usage") + " ")

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The options and what they do."""
        records = [param.get_help_record(ctx) for param in self.get_params(ctx) if isinstance(param, click.Option)]
        with formatter.section(text("help.options")):
            formatter.write_dl([record for record in records if record])

    def format_epilog(self, _ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The examples, line by line as they stand."""
        if self.epilog:
            formatter.write_paragraph()
            formatter.write("".join(f"{line}\n" for line in self.epilog.splitlines()))


def option(*names: str, key: str, metavar: str | None = None, **attributes: Any) -> click.Option:
    """An option described by the text ``option.KEY``; ``metavar`` names the text of its placeholder."""
    return click.Option(
        list(names),
        help=text(f"option.{key}"),
        metavar=text(f"metavar.{metavar}") if metavar else None,
        **attributes,
    )


def flag(*names: str, key: str, **attributes: Any) -> click.Option:
    """An option without a value."""
    return option(*names, key=key, is_flag=True, **attributes)


def _help_option() -> click.Option:
    def show(ctx: click.Context, _param: click.Parameter, value: bool) -> None:  # noqa: FBT001 - click's protocol
        if value and not ctx.resilient_parsing:
            click.echo(ctx.get_help(), color=ctx.color)
            ctx.exit()

    return flag("-h", "--help", key="help", expose_value=False, is_eager=True, callback=show)


Completer = Callable[[click.Context, click.Parameter, str], list[CompletionItem]]


def configured(kind: Literal["providers", "routes"]) -> Completer:
    """Completes the names in the configuration."""

    def complete(ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        from .candidates import names_of  # noqa: PLC0415 - reads the configuration

        names = names_of(kind, ctx.params.get("config"), ctx.params.get("profile"))
        return [CompletionItem(name) for name in names if name.startswith(incomplete)]

    return complete


def aim_options() -> list[click.Option]:
    """Who is to answer, and how long that may take."""
    return [
        option("-r", "--route", key="route", metavar="name", shell_complete=configured("routes")),
        option("-t", "--target", key="target", metavar="target", shell_complete=configured("providers")),
        option("-m", "--model", key="model", metavar="name"),
        option("--deadline", key="deadline", metavar="seconds", type=Number(open_end=True)),
    ]


def sampling_options() -> list[click.Option]:
    """How the answer is made."""
    return [
        option("-s", "--system", key="system", metavar="text"),
        option("--temperature", key="temperature", metavar="number", type=Number()),
        option("--max-tokens", key="max_tokens", metavar="whole", type=Number(whole=True, low=1)),
    ]


def speech_options() -> list[click.Option]:
    """How the answer is shown."""
    return [
        flag("--stream/--no-stream", key="stream", default=None),
        flag("--plain", key="plain"),
        flag("--usage", key="usage"),
    ]


def setup_options() -> list[click.Option]:
    """Which configuration applies."""
    return [
        option("--config", key="config", metavar="file", type=InputFile(), is_eager=True),
        option("--profile", key="profile", metavar="name", is_eager=True),
    ]


def json_option() -> click.Option:
    """Output for programs."""
    return flag("--json", "as_json", key="json")
