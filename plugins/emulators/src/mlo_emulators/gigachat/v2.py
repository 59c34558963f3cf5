"""The chat API, version 2: requests into prompts, answers into bodies and named events."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from .answers import Answer, chunks
from .failures import ApiFailure
from .options import Options
from .prompt import Function, Prompt, Turn
from .rules import check_functions, check_history, check_length, chosen_model, number, objects
from .stream import frame
from .v1 import Context

__all__ = ["body", "frames", "read"]

_ROLES = frozenset({"system", "user", "assistant", "tool", "function"})
_TOOLS = frozenset({"functions", "image_generate", "model_3d_generate", "web_search", "url_content_extraction"})


def read(request: Mapping[str, Any], options: Options) -> Prompt:
    """The prompt that a request is.

    Raises:
        ApiFailure: as the service would fail.
    """
    model = chosen_model(request, options)
    turns = tuple(_turn(message, options) for message in objects(request.get("messages")))
    check_history(turns)
    functions, builtins = _tools(request.get("tools"))
    check_functions(functions, turns, options)
    settings = request.get("model_options") or {}
    if not isinstance(settings, dict):
        raise ApiFailure(400)
    number(settings, "temperature", above=0)
    number(settings, "top_p", above=-1e-9, up_to=1)
    number(settings, "repetition_penalty", above=0)
    limit = number(settings, "max_tokens", above=0)
    prompt = Prompt(
        model=model,
        turns=turns,
        functions=functions,
        builtins=builtins,
        choice=_choice(request.get("tool_config"), functions),
        schema=_schema(settings.get("response_format")),
        max_tokens=None if limit is None else int(limit),
        reasoning=(settings.get("reasoning") or {}).get("effort") in {"low", "medium", "high"},
        stream=request.get("stream") is True,
    )
    check_length(prompt, options)
    return prompt


def _turn(message: Mapping[str, Any], options: Options) -> Turn:
    role, parts = message.get("role"), objects(message.get("content"))
    if role not in _ROLES:
        raise ApiFailure(400)
    call = next((part["function_call"] for part in parts if "function_call" in part), None)
    if call is not None and not (isinstance(call, dict) and isinstance(call.get("arguments", {}), dict)):
        raise ApiFailure(400)
    if role in {"tool", "function"}:
        return _result(str(role), parts, options)
    text = "".join(str(part.get("text", "")) for part in parts)
    files = tuple(str(file.get("id")) for part in parts for file in part.get("files", ()))
    return Turn(role=str(role), text=text, call=call, files=files)


def _result(role: str, parts: Sequence[Mapping[str, Any]], options: Options) -> Turn:
    if options.v2_tool_role not in {"any", role}:
        raise ApiFailure(400)
    found = next((part["function_result"] for part in parts if "function_result" in part), None)
    if not isinstance(found, dict):
        raise ApiFailure(400)
    name, result = str(found.get("name")), found.get("result")
    if isinstance(result, str):
        _check_json(name, result, options)
        return Turn(role="function", text=result, name=name)
    return Turn(role="function", text=json.dumps(result, ensure_ascii=False), name=name)


def _check_json(name: str, result: str, options: Options) -> None:
    if options.v2_result == "any":
        return
    try:
        json.loads(result)
    except ValueError as error:
        raise ApiFailure(400, f"invalid function result for function {name} json string {result!r}") from error


def _tools(value: object) -> tuple[tuple[Function, ...], frozenset[str]]:
    functions: list[Function] = []
    builtins: set[str] = set()
    for tool in objects(value or []):
        if unknown := tool.keys() - _TOOLS:
            raise ApiFailure(422, f"Tool {min(unknown)} is unavailable")
        if "image_generate" in tool:
            builtins.add("text2image")
        if "functions" in tool:
            functions += [_function(one) for one in objects((tool["functions"] or {}).get("specifications"))]
    return tuple(functions), frozenset(builtins)


def _function(declared: Mapping[str, Any]) -> Function:
    name, parameters = declared.get("name"), declared.get("parameters")
    if not isinstance(name, str) or not isinstance(parameters, dict):
        raise ApiFailure(400)
    return Function(name=name, description=str(declared.get("description") or ""), parameters=parameters)


def _choice(value: object, functions: Sequence[Function]) -> str:
    if value is None:
        return "auto"
    if not isinstance(value, dict) or value.get("mode") not in {"auto", "none", "forced"}:
        raise ApiFailure(400)
    if value["mode"] != "forced":
        return str(value["mode"])
    name = value.get("function_name")
    if name not in {function.name for function in functions}:
        raise ApiFailure(422, f"Invalid params: unknown function {name}")
    return str(name)


def _schema(value: object) -> Mapping[str, Any] | None:
    if value is None:
        return None
    if not isinstance(value, dict):
        raise ApiFailure(400)
    kind, schema = value.get("type"), value.get("schema")
    if kind == "text":
        return None
    if kind == "regex":
        raise ApiFailure(422, "the emulator does not follow regular expressions")
    if kind != "json_schema":
        raise ApiFailure(400, f'Unknown type "{kind}" in response_format')
    if not isinstance(schema, dict) or not schema:
        raise ApiFailure(400, "Empty schema with json format type is not supported")
    return schema


def _usage(answer: Answer, context: Context) -> dict[str, Any]:
    total, cached = context.prompt.tokens, context.cached
    return {
        "input_tokens": total,
        "input_tokens_details": {"prompt_tokens": total - cached, "cached_tokens": cached},
        "output_tokens": answer.tokens,
        "total_tokens": total + answer.tokens,
    }


def _call(answer: Answer, context: Context) -> dict[str, Any]:
    call = (
        {"id": context.call_id, **(answer.call or {})} if context.options.function_call_id else dict(answer.call or {})
    )
    return {"function_call": call}


def _message(parts: Sequence[Mapping[str, Any]], answer: Answer, context: Context) -> dict[str, Any]:
    state = {"tool_state_id": context.state_id} if answer.call is not None or answer.draws else {}
    return {"role": "assistant", **state, "content": parts}


def _parts(answer: Answer, context: Context) -> list[dict[str, Any]]:
    parts: list[dict[str, Any]] = [{"text": answer.text}] if answer.text else []
    if answer.draws:
        parts.append({"files": [{"id": context.file_id, "target": "image", "mime": "image/jpeg"}]})
    if answer.call is not None:
        parts.append(_call(answer, context))
    return parts


def _head(context: Context) -> dict[str, Any]:
    return {"model": context.prompt.model.answers_as, "created_at": context.created}


def body(answer: Answer, context: Context) -> Mapping[str, Any]:
    """The answer as one body."""
    messages = [_message(_parts(answer, context), answer, context)]
    if answer.reasoning:
        messages.insert(0, {"role": "reasoning", "content": [{"text": answer.reasoning}]})
    return {
        **_head(context),
        "messages": messages,
        "finish_reason": answer.finish,
        "usage": _usage(answer, context),
    }


def frames(answer: Answer, context: Context) -> Sequence[bytes]:
    """The answer as a stream; there is no ``[DONE]`` in version 2."""
    words = context.options.words_per_chunk
    messages = [{"role": "reasoning", "content": [{"text": piece}]} for piece in chunks(answer.reasoning, words)]
    messages += [_message([{"text": piece}], answer, context) for piece in chunks(answer.text, words)]
    others = [part for part in _parts(answer, context) if "text" not in part]
    late = context.options.v2_call_in == "done"
    if others and not late:
        messages.append(_message(others, answer, context))
    done: dict[str, Any] = {**_head(context), "finish_reason": answer.finish, "usage": _usage(answer, context)}
    if others and late:
        done["messages"] = [_message(others, answer, context)]
    deltas = [frame({**_head(context), "messages": [message]}, "response.message.delta") for message in messages]
    return [*deltas, frame(done, "response.message.done")]
