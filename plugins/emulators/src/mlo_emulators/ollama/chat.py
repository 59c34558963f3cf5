"""Chat and generate requests: what is checked before the model runs, and what is to be done."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping, Sequence
from typing import Any

from attrs import frozen

from .answers import Answer, Prompt, answer_to, cut_to
from .catalogue import Model, full_name
from .options import Options
from .reading import keep_alive_of, options_of
from .wire import Refused, dumps

__all__ = ["Job", "chat_job", "generate_job"]

_LEVELS = ("low", "medium", "high", "max")
_RUNNER_OPTIONS = ("num_batch", "num_gpu", "main_gpu", "use_mmap", "num_thread")
_HALF_SLACK = 2


@frozen(kw_only=True)
class Job:
    """A request that may run. ``settings`` decide whether a loaded model can serve it."""

    name: str
    model: Model
    prompt: Prompt
    stream: bool
    keep_alive: float
    num_ctx: int
    settings: tuple[object, ...]
    refuse_overflow: bool
    think: bool = False
    form: Any = None
    tools: tuple[Mapping[str, Any], ...] = ()
    options: Mapping[str, Any]
    top_logprobs: int | None = None
    only_load: bool = False
    raw: bool = False
    suffix: str = ""

    def fitted(self, server: Options) -> Prompt:
        """The prompt as the model sees it.

        Raises:
            Refused: 400, when it does not fit and may not be cut.
        """
        if self.prompt.tokens <= self.num_ctx:
            return self.prompt
        if server.ignore_flags:
            return cut_to(self.prompt, self.num_ctx)
        if not self.refuse_overflow:
            return cut_to(self.prompt, self.num_ctx // 2 + _HALF_SLACK)
        if server.plain_overflow:
            raise Refused(400, "the input length exceeds the context length")
        raise Refused(400, _overflow(self.prompt.tokens, self.num_ctx))

    def answer(self, prompt: Prompt, server: Options) -> Answer:
        """What the model says to ``prompt``."""
        limit = self.options.get("num_predict", -1)
        room = max(0, self.num_ctx - prompt.tokens)
        return answer_to(
            prompt,
            tools=self.tools,
            form=self.form,
            think=self.think,
            limit=room if limit is None or limit < 0 else min(limit, room),
            stop=self.options.get("stop") or (),
            chunk_chars=server.chunk_chars,
            fixed=server.answer,
        )


def _overflow(tokens: int, window: int) -> str:
    """The error of the inner server, which arrives as JSON inside a string."""
    detail = {
        "code": 400,
        "message": f"request ({tokens} tokens) exceeds the available context size ({window} tokens), try increasing it",
        "type": "exceed_context_size_error",
        "n_prompt_tokens": tokens,
        "n_ctx": window,
    }
    return dumps({"error": detail}).decode()


def chat_job(body: Mapping[str, Any], name: str, model: Model, server: Options) -> Job:
    """A checked chat request.

    Raises:
        Refused: for everything that the server would refuse.
    """
    if not model.can("completion"):
        raise Refused(400, f'"{name}" does not support chat')
    messages = _messages(body)
    tools = tuple(body.get("tools") or ())
    _check_ability(model, "tools", wanted=bool(tools))
    _check_ability(model, "vision", wanted=any(message.get("images") for message in messages))
    prompt = Prompt.of(messages, tools)
    return _job(body, name, model, server, prompt, tools=tools, only_load=not messages)


def generate_job(body: Mapping[str, Any], name: str, model: Model, server: Options) -> Job:
    """A checked generate request.

    Raises:
        Refused: for everything that the server would refuse.
    """
    if not model.can("completion"):
        raise Refused(400, f'"{name}" does not support generate')
    text = str(body.get("prompt") or "")
    suffix = str(body.get("suffix") or "")
    _check_ability(model, "insert", wanted=bool(suffix))
    images = body.get("images") or ()
    for image in images:
        _check_base64(image)
    _check_ability(model, "vision", wanted=bool(images))
    said = [{"role": "system", "content": body["system"]}] if body.get("system") else []
    prompt = Prompt.of([*said, {"role": "user", "content": text}])
    return _job(body, name, model, server, prompt, only_load=not text, raw=bool(body.get("raw")), suffix=suffix)


def _job(
    body: Mapping[str, Any],
    name: str,
    model: Model,
    server: Options,
    prompt: Prompt,
    *,
    tools: tuple[Mapping[str, Any], ...] = (),
    only_load: bool = False,
    raw: bool = False,
    suffix: str = "",
) -> Job:
    options = options_of(body)
    num_ctx = min(int(options.get("num_ctx") or server.num_ctx), model.context_length)
    shift = body.get("shift") is not False
    return Job(
        name=name,
        model=model,
        prompt=prompt,
        stream=body.get("stream") is not False,
        keep_alive=keep_alive_of(body, server.keep_alive),
        num_ctx=num_ctx,
        settings=(num_ctx, shift, *(options.get(option) for option in _RUNNER_OPTIONS)),
        refuse_overflow=body.get("truncate") is False or not shift,
        think=_think(body, name, model),
        form=_form(body),
        tools=tools,
        options=options,
        top_logprobs=_top_logprobs(body),
        only_load=only_load,
        raw=raw,
        suffix=suffix,
    )


def _check_ability(model: Model, ability: str, *, wanted: bool) -> None:
    if wanted and not model.can(ability):
        raise Refused(400, f"{full_name(model.name)} does not support {ability}")


def _messages(body: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    messages = body.get("messages") or []
    if not isinstance(messages, list) or not all(isinstance(each, dict) for each in messages):
        raise Refused(
            400, "json: cannot unmarshal messages into Go struct field ChatRequest.messages of type []api.Message"
        )
    for message in messages:
        if message.get("role") not in {"system", "user", "assistant", "tool"}:
            raise Refused(
                400, f"invalid role: {message.get('role')}, role must be one of [system, user, assistant, tool]"
            )
        if not isinstance(message.get("content") or "", str):
            raise Refused(
                400, "json: cannot unmarshal array into Go struct field ChatRequest.messages.content of type string"
            )
        for image in message.get("images") or ():
            _check_base64(image)
        for call in message.get("tool_calls") or ():
            if not isinstance((call.get("function") or {}).get("arguments"), dict):
                raise Refused(
                    400,
                    "json: cannot unmarshal string into Go struct field "
                    "ChatRequest.messages.tool_calls.function.arguments of type api.ToolCallFunctionArguments",
                )
    return messages


def _check_base64(image: Any) -> None:
    try:
        base64.b64decode(str(image), validate=True)
    except (binascii.Error, ValueError) as error:
        raise Refused(400, "illegal base64 data at input byte 0") from error


def _think(body: Mapping[str, Any], name: str, model: Model) -> bool:
    value = body.get("think")
    if value is None:
        return model.can("thinking")
    if not isinstance(value, bool) and value not in _LEVELS:
        raise Refused(400, f'invalid think value: "{value}" (must be "high", "medium", "low", "max", true, or false)')
    if value and not model.can("thinking"):
        raise Refused(400, f'"{name}" does not support thinking')
    return bool(value)


def _form(body: Mapping[str, Any]) -> Any:
    form = body.get("format")
    if form in (None, ""):
        return None
    if form == "json" or isinstance(form, dict):
        return form
    raise Refused(400, f'invalid format: "{form}"; expected "json" or a valid JSON Schema object')


def _top_logprobs(body: Mapping[str, Any]) -> int | None:
    top = int(body.get("top_logprobs") or 0)
    if not 0 <= top <= 20:
        raise Refused(400, "top_logprobs must be between 0 and 20")
    return top if body.get("logprobs") else None
