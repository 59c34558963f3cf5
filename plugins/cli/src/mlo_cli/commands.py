"""The entry points of group ``mlo.v1.commands``: each takes the arguments after its name and gives an exit code."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["ask", "chat", "completion", "embed", "health", "models"]


def ask(argv: Sequence[str]) -> int:
    """Ask one question."""
    from .run import run  # noqa: PLC0415
    from .syntax.ask import command  # noqa: PLC0415

    return run(command(), argv)


def chat(argv: Sequence[str]) -> int:
    """Hold a conversation."""
    from .run import run  # noqa: PLC0415
    from .syntax.chat import command  # noqa: PLC0415

    return run(command(), argv)


def completion(argv: Sequence[str]) -> int:
    """Print the completion script of a shell."""
    from .run import run  # noqa: PLC0415
    from .syntax.completion import command  # noqa: PLC0415

    return run(command(), argv)


def embed(argv: Sequence[str]) -> int:
    """Turn texts into vectors."""
    from .run import run  # noqa: PLC0415
    from .syntax.embed import command  # noqa: PLC0415

    return run(command(), argv)


def health(argv: Sequence[str]) -> int:
    """Ask every provider how it is."""
    from .run import run  # noqa: PLC0415
    from .syntax.health import command  # noqa: PLC0415

    return run(command(), argv)


def models(argv: Sequence[str]) -> int:
    """List the models on offer."""
    from .run import run  # noqa: PLC0415
    from .syntax.models import command  # noqa: PLC0415

    return run(command(), argv)
