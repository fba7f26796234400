"""Frozen dataclasses to JSON and back, typed and strict: the only way a value crosses the gap."""

from __future__ import annotations

import dataclasses
import functools
import json
import typing
from pathlib import Path
from typing import Any, Dict, List, Tuple, Type, TypeVar

from wheelhouse import text as texts

T = TypeVar("T")
# No value has a longer number, and no reader needs more problems than these.
_DIGITS = 20
_MOST = 100


class Malformed(ValueError):
    """JSON that is not the value it should be; ``problems`` names every place, not only the first."""

    def __init__(self, problems: List[str]) -> None:
        super().__init__("; ".join(problems))
        self.problems = problems


def encode(value: Any) -> Any:
    """Turn a dataclass (tuples, str, int, float, bool and None inside) into JSON-able data."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: encode(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, (tuple, list)):
        return [encode(item) for item in value]
    if isinstance(value, dict):
        return {key: encode(item) for key, item in value.items()}
    return value


def essence(value: Any) -> Any:
    """As :func:`encode`, without what stands at its default: a new field leaves the essence of old values."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        told = {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
        usual = {field.name: field.default for field in dataclasses.fields(value)}
        return {name: essence(item) for name, item in told.items() if item != usual[name]}
    if isinstance(value, (tuple, list)):
        return [essence(item) for item in value]
    return encode(value)


def dumps(value: Any) -> str:
    """Encode as canonical text: sorted keys, two spaces, a newline at the end; same value, same bytes."""
    return json.dumps(encode(value), indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def compact(data: Any) -> str:
    """JSON-able data as canonical text in one line, for a digest: several times faster than :func:`dumps`."""
    return json.dumps(data, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def read(path: Path, most: int) -> str:
    """The text of a file of at most `most` bytes; raises OSError, UnicodeDecodeError, Malformed."""
    with path.open("rb") as stream:
        content = stream.read(most + 1)
    if len(content) > most:
        raise Malformed([f"more than {most:,} bytes"])
    return content.decode("utf-8")


def parse(text: str) -> Any:
    """Parse JSON text; raises :class:`Malformed`."""
    try:
        return json.loads(text, parse_int=_whole, parse_constant=_refuse)
    except (ValueError, RecursionError) as error:
        raise Malformed([f"not JSON: {error}"]) from error


def _whole(digits: str) -> int:
    if len(digits) > _DIGITS:
        raise ValueError("a number has too many digits")
    return int(digits)


def _refuse(name: str) -> None:
    raise ValueError(f"{name} is not a number")


def loads(cls: Type[T], text: str) -> T:
    """Parse JSON text as `cls`; raises :class:`Malformed`."""
    return decode(cls, parse(text))


def decode(cls: Type[T], data: Any) -> T:
    """Build `cls` from JSON data, checking names and types throughout; raises :class:`Malformed`.

    A field with a default may be absent (an older writer did not know it); an unknown field is a problem,
    because a newer writer says so with a higher schema number.
    """
    problems: List[str] = _Problems()
    try:
        value = _decode(cls, data, cls.__name__.lower(), problems)
    except _Enough:
        value = None
    if problems:
        raise Malformed(problems)
    return typing.cast(T, value)


class _Enough(Exception):
    """There are more problems than anybody reads."""


class _Problems(List[str]):
    def append(self, problem: str) -> None:
        super().append(problem)
        if len(self) >= _MOST:
            raise _Enough


def _decode(kind: Any, data: Any, where: str, problems: List[str]) -> Any:
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin is typing.Union:
        if data is None and type(None) in arguments:
            return None
        return _decode(next(item for item in arguments if item is not type(None)), data, where, problems)
    if origin is tuple:
        if not isinstance(data, list):
            problems.append(f"{where}: a list is needed, found {_name(data)}")
            return ()
        return tuple(
            _decode(arguments[0], item, f"{where}[{index}]", problems) for index, item in enumerate(data)
        )
    if origin is dict:
        if not isinstance(data, dict):
            problems.append(f"{where}: an object is needed, found {_name(data)}")
            return {}
        return {
            key: _decode(arguments[1], item, f"{where}.{_key(key)}", problems) for key, item in data.items()
        }
    if dataclasses.is_dataclass(kind):
        return _decode_dataclass(kind, data, where, problems)
    if kind is Any:
        return data
    if kind is float and isinstance(data, int) and not isinstance(data, bool):
        return float(data)
    if not isinstance(data, kind) or (isinstance(data, bool) and kind is not bool):
        problems.append(f"{where}: {kind.__name__} is needed, found {_name(data)}")
    return data


def _decode_dataclass(kind: Any, data: Any, where: str, problems: List[str]) -> Any:
    if not isinstance(data, dict):
        problems.append(f"{where}: an object is needed, found {_name(data)}")
        return None
    hints, fields = _fields(kind)
    for name in sorted(set(data) - set(fields)):
        problems.append(f"{where}.{_key(name)}: unknown field")
    values: Dict[str, Any] = {}
    complete = True
    for name, field in fields.items():
        if name in data:
            values[name] = _decode(hints[name], data[name], f"{where}.{name}", problems)
        elif field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING:
            problems.append(f"{where}.{name}: missing")
            complete = False
    return kind(**values) if complete else None


@functools.lru_cache(maxsize=None)
def _fields(kind: Any) -> Tuple[Dict[str, Any], Dict[str, dataclasses.Field[Any]]]:
    # a manifest has hundreds of values of one class; to evaluate its annotations takes most of the time
    return typing.get_type_hints(kind), {field.name: field for field in dataclasses.fields(kind)}


def _key(name: str) -> str:
    return name if name.isidentifier() and name.isascii() and len(name) < 60 else texts.shown(name)


def _name(data: Any) -> str:
    return "null" if data is None else type(data).__name__
