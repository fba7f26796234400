"""Values to JSON and back, and every problem named at once."""

from __future__ import annotations

import json
import typing
from dataclasses import dataclass

import pytest

from wheelhouse import codec


@dataclass(frozen=True)
class Inner:
    name: str
    ratio: float = 0.5


@dataclass(frozen=True)
class Outer:
    count: int
    inner: Inner
    items: typing.Tuple[Inner, ...]
    words: typing.Dict[str, int]
    flag: bool
    maybe: typing.Optional[Inner] = None
    anything: typing.Any = None


FULL = Outer(3, Inner("한글", 1.5), (Inner("a"), Inner("b")), {"x": 1}, True, Inner("m"), [1, {"k": None}])


def test_round_trip_keeps_every_value() -> None:
    assert codec.loads(Outer, codec.dumps(FULL)) == FULL


def test_text_is_canonical() -> None:
    text = codec.dumps(FULL)
    assert text == codec.dumps(codec.loads(Outer, text))
    assert text.endswith("}\n")
    assert "한글" in text
    assert list(json.loads(text)) == sorted(json.loads(text))


def test_field_with_a_default_may_be_absent() -> None:
    data = codec.encode(FULL)
    del data["maybe"], data["inner"]["ratio"]
    read = codec.decode(Outer, data)
    assert read.maybe is None
    assert read.inner.ratio == 0.5


def test_whole_number_is_a_float_too() -> None:
    assert codec.decode(Inner, {"name": "a", "ratio": 2}).ratio == 2.0


def test_all_problems_are_named_together() -> None:
    data = codec.encode(FULL)
    data["count"] = "3"
    del data["inner"]["name"]
    data["items"][1]["name"] = None
    data["items"][0]["more"] = 1
    data["words"]["x"] = 1.5
    data["flag"] = 1
    data["new"] = {}
    with pytest.raises(codec.Malformed) as caught:
        codec.decode(Outer, data)
    assert sorted(caught.value.problems) == [
        "outer.count: int is needed, found str",
        "outer.flag: bool is needed, found int",
        "outer.inner.name: missing",
        "outer.items[0].more: unknown field",
        "outer.items[1].name: str is needed, found null",
        "outer.new: unknown field",
        "outer.words.x: int is needed, found float",
    ]


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        ([], "inner: an object is needed, found list"),
        (None, "inner: an object is needed, found null"),
        ({"name": True}, "inner.name: str is needed, found bool"),
        ({"name": "a", "ratio": True}, "inner.ratio: float is needed, found bool"),
        ({"name": "a", "ratio": "1"}, "inner.ratio: float is needed, found str"),
    ],
)
def test_wrong_type(data: object, problem: str) -> None:
    with pytest.raises(codec.Malformed) as caught:
        codec.decode(Inner, data)
    assert caught.value.problems == [problem]


def test_true_is_no_number() -> None:
    data = codec.encode(FULL)
    data["count"] = True
    with pytest.raises(codec.Malformed, match=r"outer\.count: int is needed, found bool"):
        codec.decode(Outer, data)


@pytest.mark.parametrize("kind", ["items", "words"])
@pytest.mark.parametrize("data", ["text", 1, None])
def test_containers_of_another_kind(kind: str, data: object) -> None:
    whole = codec.encode(FULL)
    whole[kind] = data
    with pytest.raises(codec.Malformed, match=f"outer.{kind}: an? (list|object) is needed"):
        codec.decode(Outer, whole)


@pytest.mark.parametrize("text", ["", "{", "{'a': 1}", '{"a": 1}}', "[" * 100_000])
def test_text_that_is_no_json(text: str) -> None:
    with pytest.raises(codec.Malformed, match="not JSON"):
        codec.parse(text)
