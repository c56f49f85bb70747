"""Reads the single values of a policy document: each complaint names the setting, the value and what it may be."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any, TypeVar

from pbx_plugin.services.directory import RefusedError

_Member = TypeVar("_Member", bound=StrEnum)


def whole(value: object, key: str, least: int, most: int) -> int:
    """Return a whole number within its range."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise RefusedError(f"policy: {key} is {value!r}: give a whole number")
    if not least <= value <= most:
        raise RefusedError(f"policy: {key} {value} is out of range: {least} to {most}")
    return value


def one_of(kind: type[_Member], value: object, key: str) -> _Member:
    """Return the member of an enumeration that has this value."""
    for member in kind:
        if member.value == value:
            return member
    choices = ", ".join(repr(member.value) for member in kind)
    raise RefusedError(f"policy: {key} knows no {value!r}: one of {choices}")


def flag(value: object, key: str) -> bool:
    """Return yes or no."""
    if not isinstance(value, bool):
        raise RefusedError(f"policy: {key} is {value!r}: give true or false")
    return value


def text(value: object, key: str) -> str:
    """Return a text."""
    if not isinstance(value, str):
        raise RefusedError(f"policy: {key} is {value!r}: give a text in quotes")
    return value


def texts(value: object, key: str, other: str = "") -> Sequence[str]:
    """Return a list of texts."""
    if not isinstance(value, list | tuple) or not all(isinstance(item, str) for item in value):
        raise RefusedError(f"policy: {key} is {value!r}: give a list of texts in quotes {other}".rstrip())
    return value


def table(value: object, key: str) -> Mapping[str, Any]:
    """Return a table of settings."""
    if not isinstance(value, Mapping):
        raise RefusedError(f"policy: {key} is {value!r}: give a table of settings")
    return value
