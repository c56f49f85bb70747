"""Journal entries survive the way through a line of JSON, whatever a phone or a trunk put into them."""

from __future__ import annotations

import json
from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any, get_args, get_type_hints

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pbx_plugin.domain.entries import Audited, CallEnded, Entry, Gap, LegSeen, RecordingIntended, Side
from pbx_plugin.services.codec import CodecError, decode, encode

KINDS: tuple[Any, ...] = get_args(Entry)
AT = datetime(2026, 11, 22, 9, 0, 0, 123456, tzinfo=UTC)

_ZONES = st.sampled_from([UTC, timezone(timedelta(hours=1)), timezone(timedelta(hours=-9, minutes=-30))])
_TIMES = st.datetimes(min_value=datetime(1990, 1, 1), max_value=datetime(2150, 1, 1), timezones=_ZONES)
_TREES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
_OBJECTS = st.dictionaries(st.text(), _TREES, max_size=4)
_VALUES: dict[Any, st.SearchStrategy[Any]] = {
    str: st.text(),
    int: st.integers(),
    bool: st.booleans(),
    datetime: _TIMES,
    datetime | None: st.none() | _TIMES,
    Side: st.sampled_from(Side),
    tuple[str, ...]: st.lists(st.text(), max_size=4).map(tuple),
    dict[str, Any]: _OBJECTS,
    list[dict[str, Any]]: st.lists(_OBJECTS, max_size=3),
}


def entries_of(kind: Any) -> st.SearchStrategy[Any]:
    hints = get_type_hints(kind)
    return st.builds(kind, **{f.name: _VALUES[hints[f.name]] for f in fields(kind) if f.name != "kind"})


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
@given(data=st.data())
def test_every_kind_of_entry_comes_back_as_it_was_written(kind: Any, data: st.DataObject) -> None:
    entry = data.draw(entries_of(kind))
    line = encode(entry)
    assert "\n" not in line
    again = decode(line)
    assert type(again) is kind
    assert again == entry
    assert encode(again) == line


def test_all_kinds_are_told_apart_by_their_word() -> None:
    words = {kind.__dataclass_fields__["kind"].default for kind in KINDS}
    assert len(words) == len(KINDS)


def test_a_time_is_written_in_utc_to_the_microsecond() -> None:
    danish = timezone(timedelta(hours=1))
    line = encode(CallEnded("c", AT.astimezone(danish), "answered"))
    assert json.loads(line)["at"] == "2026-11-22T09:00:00.123456+00:00"
    ended = decode(line)
    assert isinstance(ended, CallEnded)
    assert ended.at.utcoffset() == timedelta(0)


def test_a_time_without_a_zone_is_refused() -> None:
    with pytest.raises(CodecError, match="without a time zone"):
        encode(CallEnded("c", datetime(2026, 11, 22), "answered"))
    with pytest.raises(CodecError, match="without a time zone"):
        encode(Gap("g", "c", "t", "u", AT, datetime(2026, 11, 22), "disk"))


@pytest.mark.parametrize("detail", [{"x": float("nan")}, {"x": float("inf")}, {"x": object()}, {"x": {1, 2}}])
def test_what_json_cannot_hold_is_refused(detail: dict[str, Any]) -> None:
    with pytest.raises(CodecError, match="'audited'"):
        encode(Audited("a", "t", AT, "me", "did", "it", detail))


def test_a_caller_id_that_is_no_unicode_does_not_stop_the_entry() -> None:
    leg = decode(encode(LegSeen("c", "1.1", AT, "PJSIP/x", number_raw="45\ud800\r\n31")))
    assert isinstance(leg, LegSeen)
    assert leg.number_raw == "45?\r\n31"


def test_a_field_of_a_newer_version_is_passed_over() -> None:
    values = json.loads(encode(CallEnded("c", AT, "answered"))) | {"colour": "green"}
    assert decode(json.dumps(values)) == CallEnded("c", AT, "answered")


@pytest.mark.parametrize(
    "line",
    ["", "{}", "[]", "null", '{"kind":"call ended"}', '{"kind":"party"}', '{"kind":"call ended","call_id":1', "\x00"],
)
def test_a_line_that_is_no_entry_is_refused(line: str) -> None:
    with pytest.raises(CodecError):
        decode(line)


def test_a_side_that_does_not_exist_is_refused() -> None:
    entry = RecordingIntended(
        "r", "m", "c", "t", "u", "d", 1, AT, "1.1", "i", "o", Side.LEFT, Side.RIGHT, "incoming", "A", "101"
    )
    assert decode(encode(entry)) == entry
    values = json.loads(encode(replace(entry, in_side=Side.RIGHT))) | {"in_side": "middle"}
    with pytest.raises(CodecError, match="in_side"):
        decode(json.dumps(values))
