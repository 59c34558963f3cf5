"""The errors of plugins that cannot be used: what is wrong, with whom, and what to do about it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from difflib import get_close_matches

from ._candidates import Candidate, Verdict
from ._discovery import AnyKind
from .errors import PluginBlocked, PluginConflict, PluginError, PluginIncompatible, PluginLoadFailed, PluginNotFound

__all__ = ["SINGULAR", "load_failed", "near", "one_line", "unusable"]

SINGULAR: dict[AnyKind, str] = {
    "providers": "provider",
    "strategies": "strategy",
    "auth": "auth scheme",
    "observers": "observer",
    "commands": "command",
}

_ERRORS: tuple[tuple[Verdict, type[PluginError], str], ...] = (
    ("conflict", PluginConflict, "is offered more than once"),
    ("blocked", PluginBlocked, "is blocked by the plugin policy"),
    ("incompatible", PluginIncompatible, "is made for another version of the plugin API"),
)


def near(name: str, known: Iterable[str]) -> str:
    """The end of a sentence about an unknown name: what may have been meant, or what there is."""
    names = sorted(set(known))
    close = get_close_matches(name, names, n=3, cutoff=0.6)
    if close:
        return f"did you mean {' or '.join(repr(word) for word in close)}?"
    return f"known: {', '.join(names)}" if names else "there are none"


def unusable(kind: AnyKind, plugin_id: str, rows: Sequence[Candidate], policy_path: str) -> PluginError:
    """The error for an id without an available candidate. ``rows`` are all candidates of all ids."""
    what = f"{SINGULAR[kind]} {plugin_id!r}"
    mine = [row for row in rows if row.kind == kind and row.id == plugin_id]
    for verdict, error, text in _ERRORS:
        chosen = next((row for row in mine if row.verdict == verdict), None)
        if chosen is not None:
            message = "\n".join(
                [f"{what} {text}:", *(f"  {_row(row)}" for row in mine), f"  {_remedy(chosen, policy_path)}"]
            )
            return error(message, kind=kind, plugin_id=plugin_id, dist=chosen.dist, version=chosen.version)
    others = [row.id for row in rows if row.kind == kind and row.verdict == "available"]
    elsewhere = sorted({SINGULAR[row.kind] for row in rows if row.id == plugin_id and row.kind != kind})
    lines = [f"no installed distribution offers the {what} ({near(plugin_id, others)})"]
    lines += [f"  {_row(row)}" for row in mine]
    lines += [f"  {plugin_id!r} is the name of a {name}, not of a {SINGULAR[kind]}" for name in elsewhere]
    lines.append("  install the distribution that offers it; `mlo plugins list` shows what there is")
    return PluginNotFound("\n".join(lines), kind=kind, plugin_id=plugin_id)


def load_failed(candidate: Candidate, cause: BaseException) -> PluginLoadFailed:
    """The error for a plugin whose import or registration raised; chain it to the cause."""
    message = (
        f"{SINGULAR[candidate.kind]} {candidate.id!r} of {candidate.origin} ({candidate.value}) could not be loaded: "
        f"{one_line(cause)} (see `mlo plugins doctor {candidate.id}`)"
    )
    return PluginLoadFailed(
        message, kind=candidate.kind, plugin_id=candidate.id, dist=candidate.dist, version=candidate.version
    )


def one_line(error: BaseException) -> str:
    """Type and text of an error on one line."""
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def _row(row: Candidate) -> str:
    return f"{row.origin} ({row.value}): {row.verdict}" + (f", {row.reason}" if row.reason else "")


def _key_in(reason: str) -> str:
    """The key or variable that a verdict names at its end: ``… in plugins.deny``."""
    return reason.rpartition(" in ")[2]


def _remedy(row: Candidate, path: str) -> str:
    if row.verdict == "conflict":
        return f'to choose: {path}.prefer = {{ {row.id} = "{row.dist}" }}, or uninstall the other'
    if row.verdict == "incompatible":
        return f"to mend: install a release of {row.dist} that fits this mlo-core"
    return f"to allow it: change {_key_in(row.reason) or path}"
