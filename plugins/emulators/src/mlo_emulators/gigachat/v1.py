"""The chat API, version 1: requests into prompts, answers into bodies and chunks."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from attrs import frozen

from .answers import Answer, chunks
from .failures import ApiFailure
from .options import Options
from .prompt import Function, Prompt, Turn
from .rules import check_functions, check_history, check_length, chosen_model, number, objects
from .stream import frame

__all__ = ["Context", "body", "frames", "read"]

_ROLES = frozenset({"system", "user", "assistant", "function", "search_result", "function_in_progress"})
_BUILTINS = frozenset({"text2image", "text2model3d"})
_HERE = "the text stands here"


@frozen(kw_only=True)
class Context:
    """What an answer needs besides its words. ``state_id`` stands for a function call or a picture."""

    prompt: Prompt
    options: Options
    created: int
    cached: int = 0
    state_id: str = ""
    call_id: str = ""
    file_id: str = ""


def read(request: Mapping[str, Any], options: Options) -> Prompt:
    """The prompt that a request is.

    Raises:
        ApiFailure: as the service would fail.
    """
    model = chosen_model(request, options)
    turns = tuple(_turn(message) for message in objects(request.get("messages")))
    check_history(turns)
    declared = objects(request.get("functions") or [])
    functions = tuple(_function(one) for one in declared if one.get("name") not in _BUILTINS)
    check_functions(functions, turns, options)
    number(request, "temperature", above=0)
    number(request, "top_p", above=-1e-9, up_to=1)
    number(request, "repetition_penalty", above=0)
    limit = number(request, "max_tokens", above=0)
    prompt = Prompt(
        model=model,
        turns=turns,
        functions=functions,
        builtins=frozenset(str(one.get("name")) for one in declared) & _BUILTINS,
        choice=_choice(request.get("function_call"), functions),
        schema=_schema(request.get("response_format")),
        max_tokens=None if limit is None else int(limit),
        reasoning=request.get("reasoning_effort") in {"low", "medium", "high"},
        stream=request.get("stream") is True,
    )
    check_length(prompt, options)
    return prompt


def _turn(message: Mapping[str, Any]) -> Turn:
    role, content, call = message.get("role"), message.get("content", ""), message.get("function_call")
    if role not in _ROLES or not isinstance(content, str):
        raise ApiFailure(400)
    if call is not None and not (isinstance(call, dict) and isinstance(call.get("arguments", {}), dict)):
        raise ApiFailure(400)
    if role == "function":
        _check_result(content)
    files = message.get("attachments") or []
    if not isinstance(files, list) or not all(isinstance(file, str) for file in files):
        raise ApiFailure(400)
    return Turn(role=str(role), text=content, name=message.get("name"), call=call, files=tuple(files))


def _check_result(content: str) -> None:
    try:
        json.loads(content)
    except ValueError as error:
        raise ApiFailure(422, "Invalid params: function result must be a valid JSON string") from error


def _function(declared: Mapping[str, Any]) -> Function:
    name, parameters = declared.get("name"), declared.get("parameters")
    if not isinstance(name, str) or not isinstance(parameters, dict):
        raise ApiFailure(400)
    return Function(name=name, description=str(declared.get("description") or ""), parameters=parameters)


def _choice(value: object, functions: Sequence[Function]) -> str:
    if value in (None, "auto", "none"):
        return str(value or "auto")
    if not isinstance(value, dict) or not isinstance(value.get("name"), str):
        raise ApiFailure(400)
    if value["name"] not in {function.name for function in functions}:
        raise ApiFailure(422, f"Invalid params: unknown function {value['name']}")
    return str(value["name"])


def _schema(value: object) -> Mapping[str, Any] | None:
    if value is None:
        return None
    if not isinstance(value, dict):
        raise ApiFailure(400)
    kind, schema = value.get("type"), value.get("schema")
    if kind == "text":
        return None
    if kind != "json_schema":
        raise ApiFailure(400, f'Unknown type "{kind}" in response_format')
    if not isinstance(schema, dict) or not schema:
        raise ApiFailure(400, "Empty schema with json format type is not supported")
    return schema


def _message(answer: Answer, context: Context) -> dict[str, Any]:
    message: dict[str, Any] = {"content": answer.text, "role": "assistant"}
    if answer.reasoning:
        message["reasoning_content"] = answer.reasoning
    if answer.draws:
        message["content"] = f'<img src="{context.file_id}" fuse="true"/>'
    if answer.call is not None:
        call = {"id": context.call_id, **answer.call} if context.options.function_call_id else dict(answer.call)
        message |= {"function_call": call, "functions_state_id": context.state_id}
    elif answer.draws:
        message["functions_state_id"] = context.state_id
    return message


def _usage(answer: Answer, context: Context) -> dict[str, int]:
    prompt, completion = max(context.prompt.tokens - context.cached, 1), answer.tokens
    return {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion,
        "precached_prompt_tokens": context.cached,
    }


def body(answer: Answer, context: Context) -> Mapping[str, Any]:
    """The answer as one body."""
    choice = {"message": _message(answer, context), "index": 0, "finish_reason": answer.finish}
    return {
        "choices": [choice],
        "created": context.created,
        "model": context.prompt.model.answers_as,
        "object": context.options.completion_object,
        "usage": _usage(answer, context),
    }


def frames(answer: Answer, context: Context) -> Sequence[bytes]:
    """The answer as a stream, the end mark included."""
    options = context.options
    deltas = _deltas(answer, context)
    if answer.call is None or options.split_function_call:
        deltas.append(({"content": ""}, True))
    else:
        deltas[-1] = (deltas[-1][0], True)
    deltas[0][0]["role"] = "assistant"
    done = [] if options.missing_done else [b"data: [DONE]\n\n"]
    # Long streams are for benchmarks: there the frame around the text is written once.
    before, after = _chunk({"content": _HERE}, answer, context, last=False).split(json.dumps(_HERE).encode())
    return [
        before + json.dumps(delta["content"], ensure_ascii=False).encode() + after
        if delta.keys() == {"content"} and not last
        else _chunk(delta, answer, context, last=last)
        for delta, last in deltas
    ] + done


def _deltas(answer: Answer, context: Context) -> list[tuple[dict[str, Any], bool]]:
    deltas: list[dict[str, Any]] = [
        {"reasoning_content": piece} for piece in chunks(answer.reasoning, context.options.words_per_chunk)
    ]
    message = _message(answer, context)
    deltas += [{"content": piece} for piece in chunks(message["content"], context.options.words_per_chunk)]
    if answer.call is not None:
        deltas.append({key: message[key] for key in ("content", "function_call", "functions_state_id")})
    return [(delta, False) for delta in deltas or [{"content": ""}]]


def _chunk(delta: Mapping[str, Any], answer: Answer, context: Context, *, last: bool) -> bytes:
    choice: dict[str, Any] = {"delta": delta, "index": 0}
    if last:
        choice["finish_reason"] = answer.finish
    chunk: dict[str, Any] = {
        "choices": [choice],
        "created": context.created,
        "model": context.prompt.model.answers_as,
        "object": context.options.completion_object,
    }
    wanted = context.options.stream_usage
    if wanted == "every" or (wanted == "last" and last):
        chunk["usage"] = _usage(answer, context)
    return frame(chunk)
