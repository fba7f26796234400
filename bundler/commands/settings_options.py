"""The options of a command from the fields of :class:`~bundler.request.settings.Settings`."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterator
from typing import Annotated, Any, Optional, TypeVar, get_type_hints

from bundler.request.settings import Declared, Settings, declared

T = TypeVar("T")


# the groups of --help
_GROUPS = {
    "What is in it": (
        "airflow", "extras", "no_default_extras", "workers", "constraints", "requirement_files", "onto",
        "with_python",
    ),
    "The closed host": ("host", "ignore", "python", "platform", "glibc", "like", "machine"),
    "Where it comes from": (
        "index_url", "extra_index_urls", "find_links", "python_sha256", "python_mirror", "offline", "refresh",
    ),
    "How it is made": ("output", "resolver", "build_constraints"),
}  # fmt: skip


def takes_settings(command: Callable[..., T]) -> Callable[..., T]:
    """The command with an option for each declared field in place of its parameter ``given: Settings``.

    typer reads a command's signature and annotations at run time: they are what is written here.
    """
    own = get_type_hints(command, include_extras=True)

    @functools.wraps(command)
    def called(**values: Any) -> T:
        given = {item.name: values.pop(item.name) for item in declared()}
        many = {item.name: tuple(given[item.name] or ()) for item in declared() if item.many}
        return command(given=Settings(**{**given, **many}), **values)

    def parameters() -> Iterator[inspect.Parameter]:
        for name, parameter in inspect.signature(command).parameters.items():
            if name == "given":
                yield from map(_parameter, declared())
            else:
                yield parameter.replace(annotation=own[name], kind=inspect.Parameter.KEYWORD_ONLY)

    signature = inspect.Signature(
        list(parameters()), return_annotation=inspect.signature(command).return_annotation
    )
    called.__signature__ = signature  # type: ignore[attr-defined]
    called.__annotations__ = {name: item.annotation for name, item in signature.parameters.items()}
    return called


def _parameter(item: Declared) -> inspect.Parameter:
    empty = getattr(Settings(), item.name)
    kind: Any = list[item.kind] if item.many else item.kind if empty is not None else Optional[item.kind]  # type: ignore[name-defined]
    groups = [group for group, names in _GROUPS.items() if item.name in names]
    if groups:
        item.option.rich_help_panel = groups[0]
    return inspect.Parameter(
        item.name,
        inspect.Parameter.KEYWORD_ONLY,
        default=list(empty) if item.many else empty,
        annotation=Annotated[kind, item.option],
    )
