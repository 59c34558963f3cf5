"""How an emulated Ollama server behaves. Times are in seconds."""

from __future__ import annotations

from collections.abc import Iterable

from attrs import field, frozen

from mlo_emulators.faults import setting

from .catalogue import INSTALLED, LIBRARY, Model

__all__ = ["Options"]


def _names(names: str | Iterable[str]) -> tuple[str, ...]:
    return (names,) if isinstance(names, str) else tuple(names)


def _models(models: Iterable[Model | str]) -> tuple[Model, ...]:
    return tuple(Model(name=each) if isinstance(each, str) else each for each in models)


@frozen(kw_only=True)
class Options:
    """The emulated server: its models, its speed, its limits, and what goes wrong with it.

    ``fail_first`` limits ``status``, ``html``, ``hang``, ``cut``, ``reset`` and ``error_line`` to so many generations.
    """

    models: tuple[Model, ...] = field(
        default=INSTALLED, converter=_models, metadata={"help": "the models that are pulled already"}
    )
    library: tuple[Model, ...] = field(
        default=LIBRARY, converter=_models, metadata={"help": "the models that can be pulled"}
    )
    version: str = setting("0.33.0", "what /api/version says")
    num_ctx: int = setting(4096, "the window of a model when a request does not set one")
    load_time: float = setting(0.0, "seconds before the headers of the first answer of a model that is not loaded")
    chunk_delay: float = setting(0.0, "seconds before each chunk")
    chunk_chars: int = setting(0, "characters of a chunk; 0: one token of at most four letters")
    wire_chunk: int | None = setting(None, "send the body in pieces of so many bytes, characters cut or not", bare=7)
    answer: str | None = setting(None, "what every model says; otherwise an echo")
    parallel: int = setting(1, "requests that a loaded model serves at a time (OLLAMA_NUM_PARALLEL)")
    max_loaded: int = setting(3, "models in memory at a time (OLLAMA_MAX_LOADED_MODELS)")
    max_queue: int = setting(512, "requests waiting for a model to load; more are refused (OLLAMA_MAX_QUEUE)")
    keep_alive: float = setting(300.0, "seconds that an idle model stays loaded (OLLAMA_KEEP_ALIVE)")
    pull_steps: int = setting(4, "progress reports for each layer of a pull")
    pull_delay: float = setting(0.0, "seconds before each of them")
    api_key: str | None = field(
        default=None, repr=False, metadata={"help": "demand this bearer token, as the hosted service does"}
    )
    check_host: bool = setting(True, "refuse requests whose Host is not this machine")  # noqa: FBT003 - a default
    hosts: tuple[str, ...] = field(
        default=(), converter=_names, metadata={"help": "further Host values to accept, ports included"}
    )
    cut: int | None = setting(None, "end the stream cleanly after so many chunks, without `done`", bare=1)
    reset: int | None = setting(None, "break the connection after so many chunks", bare=1)
    error_line: int | None = setting(None, "send an error line after so many chunks, inside HTTP 200", bare=1)
    status: int | None = setting(None, "fail every generation with this HTTP status", bare=503)
    html: bool = setting(False, "answer generations with HTTP 502 and a proxy's page")  # noqa: FBT003 - a default
    hang: bool = setting(False, "never answer a generation")  # noqa: FBT003 - a default
    fail_first: int | None = setting(None, "only the first so many generations fail; later ones are well", bare=1)
    load_fails: bool = setting(False, "loading a model fails with HTTP 500")  # noqa: FBT003 - a default
    no_ids: bool = setting(False, "tool calls without id and index, as older servers send")  # noqa: FBT003 - a default
    no_metrics: bool = setting(False, "no counters and durations, as if all were zero")  # noqa: FBT003 - a default
    old_not_found: bool = setting(False, "older wording for a model that is not there")  # noqa: FBT003 - a default
    plain_overflow: bool = setting(False, "the wording of 0.12 for a prompt that does not fit")  # noqa: FBT003
    ignore_flags: bool = setting(
        False,  # noqa: FBT003 - a default
        "ignore `truncate` and `shift`, as before 0.12.6: prompts are cut to the whole window",
    )
    plain_tags: bool = setting(False, "lists without capabilities and windows, as of older servers")  # noqa: FBT003
    pull_cut: bool = setting(False, "a pull breaks off halfway, once for each layer")  # noqa: FBT003 - a default
    pull_end: int | None = setting(None, "a pull's stream ends after so many lines, without success", bare=2)
