"""What a recording's row reckons from its own values when it is inserted, whoever inserts it."""

from __future__ import annotations

from typing import Any

from sqlalchemy.engine.default import DefaultExecutionContext

from pbx_plugin.services.search_times import week_minute
from pbx_plugin.services.search_words import number_kept


def minute_of_week(context: DefaultExecutionContext) -> int:
    """Return the minute of the week (UTC) in which the recording began."""
    return week_minute(_values(context)["at"])


def kept_number(context: DefaultExecutionContext) -> str:
    """Return the other party's number in the one spelling that it is found by."""
    values = _values(context)
    return number_kept(values.get("other_raw") or "", values.get("other_e164") or "")


def _values(context: Any) -> dict[str, Any]:
    # SQLAlchemy gives this method no types.
    values: dict[str, Any] = context.get_current_parameters()
    return values
