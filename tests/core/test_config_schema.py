from __future__ import annotations

import tomllib
from collections.abc import Mapping
from decimal import Decimal
from enum import IntEnum
from pathlib import Path
from typing import Any, Literal

import pytest
from attrs import field, frozen
from jsonschema import Draft202012Validator

from mlo import Secret
from mlo._config import build_options, parse_settings
from mlo._registry import PluginRegistry
from mlo._schema import document_schema, options_schema
from mlo.errors import ConfigError
from mlo.settings import PluginPolicy
from mlo.testing import installed
from tests.core.samples import HEAD, provider_dist


class Size(IntEnum):
    SMALL = 1
    LARGE = 2


@frozen
class Part:
    """One part.

    And more about it.
    """

    name: str


@frozen(kw_only=True)
class Options:
    secret: Secret
    text: str = "x"
    number: float = 0.5
    count: int | None = None
    flag: bool = False
    path: Path = Path()
    money: Decimal = Decimal(0)
    size: Size = Size.SMALL
    choice: Literal["a", "b"] = field(default="a", metadata={"description": "which one"})
    pair: tuple[int, str] = (0, "")
    names: tuple[str, ...] = ()
    parts: list[Part] = field(factory=list)
    either: str | Part | None = None
    headers: Mapping[str, str] = field(factory=dict)
    bare: dict[str, Any] = field(factory=dict)
    strange: object = None
    stream: bytearray | None = None


@pytest.mark.parametrize(
    ("key", "schema"),
    [
        ("text", {"type": "string", "default": "x"}),
        ("number", {"type": "number", "default": 0.5}),
        ("count", {"type": "integer"}),
        ("flag", {"type": "boolean", "default": False}),
        ("path", {"type": "string"}),
        ("money", {"type": ["number", "string"]}),
        ("size", {"enum": [1, 2], "default": 1}),
        ("choice", {"enum": ["a", "b"], "default": "a", "description": "which one"}),
        ("names", {"type": "array", "items": {"type": "string"}}),
        ("headers", {"type": "object", "additionalProperties": {"type": "string"}}),
        ("bare", {"type": "object", "additionalProperties": {}}),
        ("strange", {}),
        ("stream", {}),
    ],
)
def test_types_as_schemas(key: str, schema: dict[str, Any]) -> None:
    assert options_schema(Options)["properties"][key] == schema


def test_classes_as_schemas() -> None:
    schema = options_schema(Options)
    part = schema["properties"]["parts"]["items"]
    assert part["description"] == "One part."
    assert part["required"] == ["name"]
    assert schema["properties"]["either"] == {"anyOf": [{"type": "string"}, part]}
    assert schema["required"] == ["secret"]
    assert "env:NAME" in schema["properties"]["secret"]["description"]
    assert schema["additionalProperties"] is False


def test_tuples_of_fixed_length() -> None:
    pair = options_schema(Options)["properties"]["pair"]
    assert pair["prefixItems"] == [{"type": "integer"}, {"type": "string"}]
    assert (pair["minItems"], pair["maxItems"]) == (2, 2)


@frozen
class Tree:
    name: str
    branches: tuple[Tree, ...] = ()
    twin: Tree | None = None


def test_a_class_that_holds_itself_comes_to_an_end() -> None:
    properties = options_schema(Tree)["properties"]
    assert properties["branches"]["items"] == {"type": "object"}
    assert properties["twin"] == {"type": "object"}
    built = build_options(Tree, {"name": "a", "twin": {"name": "b", "branches": [{"name": "c"}]}}, "p")
    assert built.twin == Tree("b", (Tree("c"),))


# the whole file

PLUGIN = (
    HEAD
    + """
@frozen(kw_only=True)
class Options:
    key: str
    size: int = 1

@hookimpl
def mlo_providers():
    return [
        ProviderSpec(name="alpha", config=Options, open=opened, summary="the first"),
        ProviderSpec(name="beta", config=Config, open=opened),
    ]

@hookimpl
def mlo_observers():
    return [ObserverSpec(name="watch", config=Config, open=opened)]
"""
)
ONLY = PluginPolicy(allow=("alpha", "beta", "watch", "broken", "first-available"))


@pytest.fixture(scope="module")
def schema(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("schema")
    good = provider_dist(folder, "mlo-good", ["alpha", "beta"], source=PLUGIN)
    info = good / "mlo_good-1.0.dist-info" / "entry_points.txt"
    info.write_text(info.read_text() + "[mlo.v1.observers]\nwatch = mlo_good.plugin\n")
    broken = provider_dist(folder, "mlo-broken", ["broken"], source="1 / 0")
    with installed(good, broken):
        return document_schema(PluginRegistry(ONLY))


def test_the_schema_is_one(schema: dict[str, Any]) -> None:
    Draft202012Validator.check_schema(schema)
    uses = [branch["properties"]["use"]["const"] for branch in schema["$defs"]["provider"]["oneOf"]]
    assert uses == ["alpha", "beta", "broken"]
    assert schema["$defs"]["provider"]["oneOf"][0]["description"] == "the first"


GOOD = """
[mlo]
profile = "p"
breaker = { failures = 3 }
[plugins]
allow = ["alpha", "dist:mlo-*"]
require = { mlo-good = "1" }
[providers.a]
use = "alpha"
key = "env:KEY"
auth = "none"
price = { prompt = "0.5", completion = 1, currency = "RUB" }
capabilities = ["chat"]
[providers.b]
use = "broken"
whatever = [1]
[routes.default]
targets = ["a", "b:model"]
strategy = { use = "first-available" }
retry = { rounds = 3 }
failover_on = ["AuthFailed"]
[observers.w]
use = "watch"
[profiles.p]
providers.c = { use = "beta", answer = "x" }
routes.other = { targets = ["c"], strategy = "first-available" }
"""


def test_a_sound_file_is_valid(schema: dict[str, Any]) -> None:
    document = tomllib.loads(GOOD.replace('auth = "none"\n', ""))
    assert list(Draft202012Validator(schema).iter_errors(document)) == []
    assert parse_settings(document, environ={}).profile == "p"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('use = "alpha"', 'use = "gamma"'),
        ('key = "env:KEY"', "key = 5"),
        ('key = "env:KEY"\n', ""),
        ('key = "env:KEY"', 'key = "x"\nsize = "big"'),
        ('key = "env:KEY"', 'key = "x"\nsiez = 1'),
        ('currency = "RUB"', 'currency = "rubles"'),
        ("failures = 3", "failures = 0"),
        ("rounds = 3", "rounds = true"),
        ('["AuthFailed"]', '["AuthFaild"]'),
        ('["chat"]', '["chatt"]'),
        ('answer = "x"', "answer = 1"),
        ("[observers.w]", "[observers.'w w']"),
        ("[mlo]", "[mlo]\nprofil = 1"),
        ("[plugins]", "[plugin]"),
        ('targets = ["a", "b:model"]\n', ""),
        ('use = "watch"', 'use = "watch"\nlevel = 1'),
    ],
)
def test_mistakes_are_invalid(schema: dict[str, Any], old: str, new: str) -> None:
    assert old in GOOD
    document = tomllib.loads(GOOD.replace('auth = "none"\n', "").replace(old, new))
    assert list(Draft202012Validator(schema).iter_errors(document)) != []


@pytest.mark.parametrize(
    ("old", "new"), [("failures = 3", "failures = 0"), ('["AuthFailed"]', '["AuthFaild"]'), ("[plugins]", "[plugin]")]
)
def test_schema_and_reader_agree(schema: dict[str, Any], old: str, new: str) -> None:
    document = tomllib.loads(GOOD.replace(old, new))
    assert not Draft202012Validator(schema).is_valid(document)
    with pytest.raises(ConfigError):
        parse_settings(document, environ={})


def test_without_plugins_any_component_is_allowed() -> None:
    bare = document_schema(PluginRegistry(candidates=[]))
    Draft202012Validator.check_schema(bare)
    assert Draft202012Validator(bare).is_valid({"providers": {"x": {"use": "anything"}}})
