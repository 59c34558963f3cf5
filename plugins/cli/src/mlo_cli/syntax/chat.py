"""``mlo chat``: the command line of a conversation."""

from __future__ import annotations

from pathlib import Path

from mlo_cli.options import Command, aim_options, flag, sampling_options, setup_options, speech_options

__all__ = ["command"]


def command() -> Command:
    """The command, in the reader's language."""
    return Command(
        "chat",
        params=[
            *aim_options(),
            *sampling_options(),
            *speech_options(),
            flag("--no-history", key="no_history"),
            *setup_options(),
        ],
        callback=_chat,
    )


def _chat(
    *,
    route: str | None,
    target: str | None,
    model: str | None,
    deadline: float | None,
    system: str | None,
    temperature: float | None,
    max_tokens: int | None,
    stream: bool | None,
    plain: bool,
    usage: bool,
    no_history: bool,
    config: Path | None,
    profile: str | None,
    debug: bool,
) -> int:
    from mlo import Sampling  # noqa: PLC0415
    from mlo_cli.asking import Manner  # noqa: PLC0415
    from mlo_cli.conversation import Conversation  # noqa: PLC0415
    from mlo_cli.routers import Aim, Setup  # noqa: PLC0415
    from mlo_cli.session import chat  # noqa: PLC0415

    conversation = Conversation(
        aim=Aim.of(route=route, target=target, model=model, deadline=deadline),
        system=system,
        sampling=Sampling(temperature=temperature, max_tokens=max_tokens),
    )
    manner = Manner(stream=stream, plain=plain, usage=usage)
    setup = Setup(config=config, profile=profile)
    return chat(conversation, manner, setup, remember=not no_history, debug=debug)
