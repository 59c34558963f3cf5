"""Sizes and constructs that the house rules forbid, read from the syntax trees of the shipped modules."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import TypeVar

from tests.house.sources import name_of, sources

_MODULE_LINES = 400
_FUNCTION_LINES = 60
_VAGUE_NAMES = {"base", "common", "helpers", "manager", "misc", "util", "utils"}
# where foreign code ends and ours goes on
_MAY_CATCH_EVERYTHING = {
    "core/src/mlo/_cli/main.py",  # the outermost frame of a command
    "core/src/mlo/_components.py",  # a plugin's component while it closes
    "core/src/mlo/_executor.py",  # a provider's attempt: its bug must not take the call down
    "core/src/mlo/_observe.py",  # an observer's call
    "core/src/mlo/_operations.py",  # a provider's stream while it closes
    "core/src/mlo/_registry.py",  # a plugin's import and registration
    "plugins/cli/src/mlo_cli/run.py",  # the outermost frame of a command
    "plugins/ledger/src/mlo_ledger/writer.py",  # the outermost frame of its thread
    "plugins/log/src/mlo_log/sink.py",  # a record that cannot be put into words: the lines after it must be written
    "plugins/otel/src/mlo_otel/delivery.py",  # an exporter: its bug must not end the thread that sends
    "plugins/gateway/src/mlo_gateway/app/application.py",  # one request: its bug must not end the connection unanswered
    "plugins/prometheus/src/mlo_prometheus/families.py",  # somebody else's gauge, read during a scrape
}
# bridges to libraries that themselves run on asyncio only
_ASYNCIO_ONLY = ("plugins/langchain/",)
# LangChain's asynchronous half runs on asyncio alone, and a future between two loops is asyncio's to make
_ON_ASYNCIO = "plugins/langchain/src/mlo_langchain/"
# what a plugin requires and is built on, by folder
_BUILT_ON = {"gateway": ("mlo_ledger", "mlo_prometheus")}
_SCOPES = {"CancelScope", "create_task_group", "fail_after", "fail_at", "move_on_after", "move_on_at"}

Function = ast.FunctionDef | ast.AsyncFunctionDef
Node = TypeVar("Node", bound=ast.AST)


def _nodes(kind: type[Node]) -> Iterator[tuple[str, Node]]:
    """Every node of a kind with the place to name in a failure."""
    for path, tree in sources().items():
        for node in ast.walk(tree):
            if isinstance(node, kind):
                yield f"{name_of(path)}:{getattr(node, 'lineno', 1)}", node


def _functions() -> Iterator[tuple[str, Function]]:
    yield from _nodes(ast.FunctionDef)
    yield from _nodes(ast.AsyncFunctionDef)


def _length(function: Function) -> int:
    """Lines of a function without its docstring."""
    first = function.body[0]
    has_docstring = ast.get_docstring(function) is not None
    docstring = (first.end_lineno or 0) - first.lineno + 1 if has_docstring else 0
    return (function.end_lineno or 0) - function.lineno + 1 - docstring


def _file(place: str) -> str:
    return place.rpartition(":")[0]


def test_modules_are_short() -> None:
    lengths = {name_of(path): len(path.read_text().splitlines()) for path in sources()}
    assert {name: length for name, length in lengths.items() if length > _MODULE_LINES} == {}


def test_functions_are_short() -> None:
    lengths = {f"{place} {function.name}": _length(function) for place, function in _functions()}
    assert {name: length for name, length in lengths.items() if length > _FUNCTION_LINES} == {}


def test_module_names_say_what_is_inside() -> None:
    assert [name_of(path) for path in sources() if path.stem.strip("_") in _VAGUE_NAMES] == []


def test_annotations_are_never_evaluated_early() -> None:
    def postpones(tree: ast.Module) -> bool:
        imports = (node for node in tree.body if isinstance(node, ast.ImportFrom))
        return any(node.module == "__future__" and node.names[0].name == "annotations" for node in imports)

    has_code = {path: tree for path, tree in sources().items() if len(tree.body) > 1}
    assert [name_of(path) for path, tree in has_code.items() if not postpones(tree)] == []


def _caught(handler: ast.ExceptHandler) -> set[str]:
    if handler.type is None:
        return {"BaseException"}
    types = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
    return {ast.unparse(kind) for kind in types}


def _lets_pass(handler: ast.ExceptHandler) -> bool:
    """Whether the handler ends by raising what it caught, itself or as a cause, so that it hides nothing."""
    last = handler.body[-1]
    return isinstance(last, ast.Raise) and (last.exc is None or last.cause is not None)


def test_only_the_borders_catch_everything() -> None:
    broad = {
        place
        for place, handler in _nodes(ast.ExceptHandler)
        if _caught(handler) & {"BaseException", "Exception"} and not _lets_pass(handler)
    }
    assert {place for place in broad if _file(place) not in _MAY_CATCH_EVERYTHING} == set()


def _imported(node: ast.Import | ast.ImportFrom) -> set[str]:
    if isinstance(node, ast.ImportFrom):
        return {(node.module or "").partition(".")[0]} if node.level == 0 else set()
    return {alias.name.partition(".")[0] for alias in node.names}


def _imports() -> Iterator[tuple[str, str]]:
    statements: list[tuple[str, ast.Import | ast.ImportFrom]] = [*_nodes(ast.Import), *_nodes(ast.ImportFrom)]
    yield from ((place, name) for place, node in statements for name in _imported(node))


def test_nothing_is_bound_to_one_event_loop() -> None:
    bound = [place for place, name in _imports() if name in {"asyncio", "trio"}]
    assert [place for place in bound if not place.startswith(_ASYNCIO_ONLY)] == []


def test_the_kernel_knows_no_http_and_no_plugin() -> None:
    foreign = [
        (place, name)
        for place, name in _imports()
        if place.startswith("core/") and (name in {"httpx", "ssl", "urllib"} or name.startswith("mlo_"))
    ]
    assert foreign == []


def test_plugins_know_the_kernel_and_the_sdk_only() -> None:
    def is_foreign(place: str, name: str) -> bool:
        folder = Path(place).parts[1]
        known = {"mlo_sdk", "mlo_" + folder.replace("-", "_"), *_BUILT_ON.get(folder, ())}
        return name.startswith("mlo_") and name not in known

    assert [
        (place, name) for place, name in _imports() if place.startswith("plugins/") and is_foreign(place, name)
    ] == []


def _opens_scope(node: ast.AST) -> bool:
    if not isinstance(node, ast.With | ast.AsyncWith):
        return False
    calls = (item.context_expr for item in node.items if isinstance(item.context_expr, ast.Call))
    return any(ast.unparse(call.func).rpartition(".")[2] in _SCOPES for call in calls)


def _yields(node: ast.AST) -> bool:
    """Whether a `yield` of the same function lies below the node."""
    children = [child for child in ast.iter_child_nodes(node) if not isinstance(child, Function | ast.Lambda)]
    return any(isinstance(child, ast.Yield | ast.YieldFrom) or _yields(child) for child in children)


def _is_context_manager(function: Function) -> bool:
    return any("contextmanager" in ast.unparse(decorator) for decorator in function.decorator_list)


def test_no_cancel_scope_is_open_across_a_yield() -> None:
    """A scope around `yield` would cancel the consumer's code; context managers enter and leave in one task."""
    offenders = [
        place
        for place, function in _functions()
        if not _is_context_manager(function) and any(_opens_scope(n) and _yields(n) for n in ast.walk(function))
    ]
    assert offenders == []
