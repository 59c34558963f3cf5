from __future__ import annotations

import datetime as dt
import string
from collections.abc import Mapping, Sequence
from decimal import Decimal
from enum import Enum, StrEnum
from pathlib import Path
from typing import Any, Literal

import attrs
import pytest
from attrs import field, frozen
from hypothesis import given
from hypothesis import strategies as st

from mlo import Secret
from mlo._config import build_options
from mlo.errors import ConfigError


class Colour(StrEnum):
    RED = "red"
    BLUE = "blue"


class Level(Enum):
    LOW = 1
    HIGH = 2


@frozen
class Constant:
    value: float
    kind: Literal["constant"] = "constant"


@frozen
class Uniform:
    kind: Literal["uniform"]
    low: float
    high: float


@frozen
class ByKeys:
    name: str


@frozen(kw_only=True)
class Options:
    text: str = ""
    number: float = 0.0
    count: int = 0
    flag: bool = False
    secret: Secret | None = None
    path: Path | None = None
    money: Decimal = Decimal(0)
    colour: Colour = Colour.RED
    level: Level = Level.LOW
    choice: Literal["a", "bc", 3] = "a"
    names: tuple[str, ...] = ()
    pair: tuple[int, str] = (0, "")
    unique: frozenset[int] = frozenset()
    many: Sequence[float] = ()
    items: list[ByKeys] = field(factory=list)
    headers: Mapping[str, str] = field(factory=dict)
    keys: dict[str, Secret] = field(factory=dict)
    bare: dict[str, Any] = field(factory=dict)
    anything: Any = None
    delay: Constant | Uniform | None = None
    either: str | ByKeys | None = None
    mixed: int | bool | str | list[int] = 0
    nested: ByKeys | None = None
    day: dt.date | None = None
    moment: dt.datetime | None = None
    derived: int = field(init=False, default=7)
    positive: int = field(default=1, validator=attrs.validators.ge(1))


def build(environ: Mapping[str, str] | None = None, base_dir: Path | None = None, **options: Any) -> Options:
    return build_options(Options, options, "providers.x", environ=environ or {}, base_dir=base_dir)


def refused(environ: Mapping[str, str] | None = None, **options: Any) -> str:
    with pytest.raises(ConfigError) as caught:
        build(environ, **options)
    return str(caught.value)


# what fits


@pytest.mark.parametrize(
    ("key", "given_value", "value"),
    [
        ("number", 5, 5.0),
        ("number", 2.5, 2.5),
        ("money", "0.10", Decimal("0.10")),
        ("money", 0.1, Decimal("0.1")),
        ("colour", "blue", Colour.BLUE),
        ("level", 2, Level.HIGH),
        ("choice", "bc", "bc"),
        ("choice", 3, 3),
        ("names", ["a", "b"], ("a", "b")),
        ("names", ("a",), ("a",)),
        ("pair", [1, "x"], (1, "x")),
        ("unique", [1, 2, 1], frozenset({1, 2})),
        ("many", [1, 2.5], (1.0, 2.5)),
        ("items", [{"name": "x"}], [ByKeys("x")]),
        ("headers", {"a": "b"}, {"a": "b"}),
        ("bare", {"a": [1, {"b": "env:NOPE"}]}, {"a": [1, {"b": "env:NOPE"}]}),
        ("anything", [1], [1]),
        ("delay", {"value": 1}, Constant(1.0)),
        ("delay", {"kind": "uniform", "low": 0, "high": 1}, Uniform("uniform", 0.0, 1.0)),
        ("either", "x", "x"),
        ("either", {"name": "x"}, ByKeys("x")),
        ("mixed", True, True),
        ("mixed", 5, 5),
        ("mixed", [5], [5]),
        ("mixed", "x", "x"),
        ("nested", {"name": "x"}, ByKeys("x")),
        ("nested", ByKeys("x"), ByKeys("x")),
        ("nested", None, None),
        ("day", dt.date(2025, 1, 2), dt.date(2025, 1, 2)),
        ("path", Path("/a"), Path("/a")),
    ],
)
def test_values_that_fit(key: str, given_value: Any, value: object) -> None:
    built = getattr(build(**{key: given_value}), key)
    assert built == value
    assert type(built) is type(value)


def test_an_enum_member_is_taken_as_it_is() -> None:
    assert build(colour=Colour.BLUE, level=Level.HIGH) == Options(colour=Colour.BLUE, level=Level.HIGH)


# what does not


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("text", 5, "expected text, got an integer"),
        ("number", "5", "expected a number, got text"),
        ("number", True, "expected a number, got a boolean"),
        ("number", float("nan"), "expected a finite number"),
        ("count", "5", "expected an integer, got text"),
        ("count", 2.0, "expected an integer, got a number"),
        ("count", True, "expected an integer, got a boolean"),
        ("flag", "false", "expected true or false, got text"),
        ("flag", 0, "expected true or false, got an integer"),
        ("secret", 5, "expected text, got an integer"),
        ("secret", "", "a secret must not be empty"),
        ("path", 5, "expected text, got an integer"),
        ("money", [], "expected a number, got a list"),
        ("colour", "bleu", "expected one of red, blue (did you mean 'blue'?)"),
        ("colour", 5, "expected one of red, blue"),
        ("level", True, "expected one of 1, 2"),
        ("choice", "zzz", "expected one of a, bc, 3"),
        ("names", "abc", "expected a list, got text"),
        ("pair", [1], "expected 2 values, got 1"),
        ("headers", [], "expected a table, got a list"),
        ("nested", "x", "expected a table, got text"),
        ("either", 5, "expected text or a table, got an integer"),
        ("mixed", 2.5, "expected an integer or true or false or text or a list, got a number"),
        ("mixed", {}, "got a table"),
        ("day", "2025-01-02", "expected a date, got text"),
        ("delay", {"kind": "normal"}, "the keys of this table fit none of its forms"),
        ("positive", 0, "'positive' must be >= 1: 0"),
        ("derived", 5, "unknown key"),
        ("texxt", 5, "unknown key (did you mean 'text'?)"),
    ],
)
def test_values_that_do_not_fit(key: str, value: Any, message: str) -> None:
    text = refused(**{key: value})
    assert text.startswith(f"providers.x.{key}")
    assert message in text


@pytest.mark.parametrize(
    ("options", "path"),
    [
        ({"names": ["a", 5]}, "providers.x.names[1]"),
        ({"items": [{"name": "a"}, {"nmae": "b", "name": "c"}]}, "providers.x.items[1].nmae"),
        ({"headers": {"X Y": 5}}, 'providers.x.headers."X Y"'),
        ({"delay": {"kind": "uniform", "low": 1}}, "providers.x.delay.high"),
        ({"pair": ["x", "y"]}, "providers.x.pair[0]"),
    ],
)
def test_paths_lead_to_the_value(options: dict[str, Any], path: str) -> None:
    assert refused(**options).startswith(f"{path}: ")


def test_all_mistakes_are_told_at_once() -> None:
    message = refused(text=1, count="x", nested={}, names=["a", 1, 2])
    assert message.startswith("providers.x: 5 problems:")
    assert "providers.x.nested.name: this key is required" in message


def test_a_union_told_apart_by_keys_alone() -> None:
    @frozen
    class Holder:
        one: ByKeys | Either

    built = build_options(Holder, {"one": {"other": "x"}}, "p")
    assert built.one == Either(other="x")


@frozen
class Either:
    other: str
    more: int = 0


def test_a_list_of_the_last_kind_that_takes_it() -> None:
    @frozen
    class Holder:
        values: list[int] | list[str]

    assert build_options(Holder, {"values": ["a"]}, "p").values == ["a"]


def test_a_type_that_toml_cannot_give_is_the_plugins_mistake() -> None:
    @frozen
    class Holder:
        stream: bytearray

    with pytest.raises(ConfigError, match="asks for a type that TOML cannot give"):
        build_options(Holder, {"stream": "x"}, "p")


def test_what_a_class_itself_refuses_is_told() -> None:
    @frozen
    class Holder:
        low: int = 0
        high: int = 1

        def __attrs_post_init__(self) -> None:
            if self.low > self.high:
                raise ValueError("`low` must not exceed `high`")

    with pytest.raises(ConfigError, match=r"^p\.low: `low` must not exceed `high`"):
        build_options(Holder, {"low": 2}, "p")


def test_an_attrs_validator_names_its_key() -> None:
    @frozen
    class Holder:
        colour: str = field(validator=attrs.validators.matches_re("[a-z]+"))

    with pytest.raises(ConfigError, match=r"^p\.colour: "):
        build_options(Holder, {"colour": "RED"}, "p")


def test_a_config_error_of_the_class_keeps_its_hint() -> None:
    @frozen
    class Holder:
        def __attrs_post_init__(self) -> None:
            raise ConfigError("tls", "no such file", hint="check ca_file")

    with pytest.raises(ConfigError, match=r"p: no such file \(check ca_file\)"):
        build_options(Holder, {}, "p")


# references


def test_env_is_followed_in_text_secrets_and_paths() -> None:
    environ = {"A": "text", "B": "hidden", "C": "/etc/x"}
    options = build(environ, text="env:A", secret="env:B", path="env:C", headers={"k": "env:A"}, keys={"k": "env:B"})
    assert options.text == "text"
    assert options.secret == Secret("hidden")
    assert options.path == Path("/etc/x")
    assert options.headers == {"k": "text"}
    assert options.keys["k"].reveal() == "hidden"


def test_a_missing_variable_is_named_with_its_place() -> None:
    message = refused(secret="env:GIGA_KEY")
    assert message == "providers.x.secret: the environment variable GIGA_KEY is not set (export GIGA_KEY=…)"


@pytest.mark.parametrize("reference", ["env:", "env:A B", "env:1A", "env:A-B"])
def test_a_malformed_reference_is_refused(reference: str) -> None:
    assert "must be followed by the name of an environment variable" in refused(text=reference)


def test_literal_takes_text_as_it_is() -> None:
    assert build(text="literal:env:A").text == "env:A"


def test_choices_and_numbers_are_not_references() -> None:
    assert "expected one of" in refused({"A": "red"}, colour="env:A")
    assert "expected an integer, got text" in refused({"A": "1"}, count="env:A")


@pytest.mark.parametrize(
    ("content", "value"), [("abc", "abc"), ("abc\n", "abc"), ("abc\r\n", "abc"), ("a\n\n", "a\n"), (" a ", " a ")]
)
def test_a_file_loses_one_line_end(tmp_path: Path, content: str, value: str) -> None:
    (tmp_path / "key").write_bytes(content.encode())
    assert build(base_dir=tmp_path, secret="file:key").secret == Secret(value)


def test_paths_are_relative_to_the_configuration(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("abc")
    built = build_options(Options, {"text": "file:key", "path": "ca.pem"}, "p", source=str(tmp_path / "mlo.toml"))
    assert (built.text, built.path) == ("abc", tmp_path / "ca.pem")


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "binary").write_bytes(b"\xff")
    with pytest.raises(ConfigError) as caught:
        build(base_dir=tmp_path, secret="file:none", text="file:binary", names=["file:."])
    text = str(caught.value)
    assert f"cannot read the file {tmp_path / 'none'}: No such file or directory" in text
    assert "binary is not UTF-8 text" in text
    assert "providers.x.names[0]: cannot read" in text


# secrets stay secret

TEXTS = st.text(string.ascii_letters + string.digits, min_size=8, max_size=30).map(lambda text: f"s3cret{text}")


@given(TEXTS, st.sampled_from(["count", "flag", "number", "colour", "names", "nested", "delay", "unique"]))
def test_no_error_repeats_a_value_in_the_wrong_place(secret: str, key: str) -> None:
    options: dict[str, Any] = {key: secret}
    assert secret not in refused(**options)


@frozen
class Quoting:
    """A class whose validators quote what they got."""

    token: Secret
    region: str = field(default="", validator=attrs.validators.matches_re("[A-Z]{2}"))

    def __attrs_post_init__(self) -> None:
        raise ValueError(f"bad token {self.token.reveal()}")


def test_a_validator_that_quotes_a_secret_is_scrubbed() -> None:
    with pytest.raises(ConfigError) as caught:
        build_options(Quoting, {"token": "env:T", "region": "RU"}, "p", environ={"T": "top-secret"})
    assert str(caught.value) == "p: bad token ****"
    error: BaseException | None = caught.value
    while error is not None:
        assert "top-secret" not in repr(error)
        error = error.__cause__


def test_a_referenced_value_is_scrubbed_even_where_text_is_due() -> None:
    with pytest.raises(ConfigError) as caught:
        build_options(Quoting, {"token": "x", "region": "env:R"}, "p", environ={"R": "my-secret-region"})
    assert "my-secret-region" not in str(caught.value)


def test_secrets_do_not_show_in_what_was_built() -> None:
    assert "hidden" not in repr(build({"B": "hidden"}, secret="env:B", keys={"k": "env:B"}))
