"""A running call's state as JSON, so that a restarted recorder goes on where the last one was."""

from __future__ import annotations

from functools import cache

from pydantic import TypeAdapter, ValidationError

from pbx_plugin.domain.callstate import CallState


class UnreadableMemoryError(Exception):
    """A remembered call is of another version or damaged: it must be seen anew, not guessed."""


@cache
def _adapter() -> TypeAdapter[CallState]:
    return TypeAdapter(CallState)


def make_ready() -> None:
    """Prepare what the first call would otherwise wait for (tens of milliseconds)."""
    _adapter()


def remember(call: CallState) -> str:
    """Return the whole state as JSON."""
    return _adapter().dump_json(call).decode()


def recall(text: str) -> CallState:
    """Return the state that :func:`remember` wrote. Raises UnreadableMemoryError."""
    try:
        return _adapter().validate_json(text)
    except ValidationError as error:
        raise UnreadableMemoryError(str(error.errors(include_input=False)[:1])) from error
