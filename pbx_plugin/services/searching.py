"""What recordings are looked for: filters read from a page's address or from JSON, checked, and written back.

A search has one canonical form: what :func:`to_pairs` writes, :func:`read` reads back as the same search, so that an
address can be shared, kept as a saved filter, and compared. Nothing here knows the database: names stay names.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import date
from enum import StrEnum
from typing import Any, Final

from pbx_plugin.domain.call import Direction
from pbx_plugin.domain.working import Flag
from pbx_plugin.services.directory import RefusedError

USUAL_LIMIT: Final = 1000
MOST_LIMIT: Final = 1_000_000
LONGEST: Final = 200
"""Characters of any one value; a longer one is refused, not cut: it would find something else than what was asked."""
MOST_VALUES: Final = 200
"""Values that one filter may name."""
LONGEST_SECONDS: Final = 7 * 24 * 3600


class Period(StrEnum):
    """Which days, by the company's own calendar; a week begins on Monday."""

    TODAY = "today"
    YESTERDAY = "yesterday"
    THIS_WEEK = "this-week"
    LAST_WEEK = "last-week"
    LAST_7_DAYS = "last-7-days"
    THIS_MONTH = "this-month"
    LAST_MONTH = "last-month"
    CUSTOM = "custom"
    ALL = "all"


class Hours(StrEnum):
    """In or outside the hours of the company's schedule; with neither, at any time."""

    ANY = ""
    OFFICE = "office"
    OUTSIDE = "outside"


class Condition(StrEnum):
    """What has become of a recording's sound."""

    LIVE = "live"
    STORED = "stored"
    FAILED = "failed"
    ERASED = "erased"


class Sort(StrEnum):
    """By what the list is ordered; a minus sign is downwards. Rows of equal value follow by time, then by id."""

    NEWEST = "-date"
    OLDEST = "date"
    LONGEST = "-length"
    SHORTEST = "length"
    USER = "user"
    USER_DOWN = "-user"
    NUMBER = "number"
    NUMBER_DOWN = "-number"

    @property
    def down(self) -> bool:
        """Whether the greatest comes first."""
        return self.value.startswith("-")

    @property
    def by(self) -> str:
        """The column, without the direction."""
        return self.value.removeprefix("-")


class SearchError(RefusedError):
    """A search that cannot be made: ``problems`` says for each field what is wrong with which value, and what to do."""

    def __init__(self, problems: Mapping[str, str]) -> None:
        self.problems = dict(problems)
        super().__init__("; ".join(f"{name}: {why}" for name, why in self.problems.items()))


@dataclass(frozen=True, slots=True)
class Search:
    """What is looked for; an empty value asks for nothing. Several values of one filter mean any of them.

    ``since`` and ``until`` are days, both included, and count for a custom period only. ``time`` is minutes of the
    wall clock, from the first to before the second; one that ends before it begins goes past midnight. ``longer`` and
    ``shorter`` are seconds, both included. ``limit`` is how many rows a list has in all, 0 for no limit.
    """

    period: Period = Period.TODAY
    since: date | None = None
    until: date | None = None
    time: tuple[int, int] | None = None
    hours: Hours = Hours.ANY
    user: tuple[str, ...] = ()
    department: tuple[str, ...] = ()
    district: tuple[str, ...] = ()
    cost_centre: tuple[str, ...] = ()
    office: tuple[str, ...] = ()
    own: str = ""
    number: str = ""
    ddi: str = ""
    direction: tuple[Direction, ...] = ()
    longer: int | None = None
    shorter: int | None = None
    flag: tuple[Flag, ...] = ()
    tag: str = ""
    api_tag: str = ""
    outcome: tuple[str, ...] = ()
    response: tuple[str, ...] = ()
    evaluated: bool | None = None
    state: tuple[Condition, ...] = ()
    text: str = ""
    sort: Sort = Sort.NEWEST
    limit: int = USUAL_LIMIT

    @property
    def narrowed(self) -> bool:
        """Whether anything but period, order and limit is asked for."""
        plain = Search(self.period, self.since, self.until, sort=self.sort, limit=self.limit)
        return self != plain


def read(pairs: Iterable[tuple[str, str]]) -> Search:
    """Return the search of an address's query. Blank values are none. Raises SearchError with all that is wrong."""
    given: dict[str, list[str]] = {}
    problems: dict[str, str] = {}
    for name, value in pairs:
        if name not in _FIELDS:
            problems[name[:40]] = f"no such filter; there are: {', '.join(_FIELDS)}"
        elif value.strip():
            given.setdefault(name, []).append(value.strip())
    found: dict[str, Any] = {}
    for name, values in given.items():
        try:
            found[_FIELDS[name].name] = _FIELDS[name].take(_bounded(values))
        except ValueError as error:
            problems[name] = str(error)
    if not problems:
        problems = _do_not_fit(found)
    if problems:
        raise SearchError(problems)
    return Search(**found)


def read_data(data: object) -> Search:
    """Return the search of JSON data: an object of texts, numbers, booleans or lists of them. Raises SearchError."""
    if not isinstance(data, Mapping):
        raise SearchError({"filter": f"an object is wanted, not {type(data).__name__}"})
    pairs: list[tuple[str, str]] = []
    for name, value in data.items():
        for item in value if isinstance(value, list | tuple) else [value]:
            if isinstance(item, bool):
                pairs.append((str(name), "yes" if item else "no"))
            elif isinstance(item, str | int):
                pairs.append((str(name), str(item)))
            elif item is not None:
                raise SearchError({str(name)[:40]: f"a text, a number or a list of them is wanted, not {item!r:.60}"})
    return read(pairs)


def to_pairs(search: Search) -> tuple[tuple[str, str], ...]:
    """Return the canonical query of a search: only what differs from the usual, always in the same order."""
    usual = Search()
    pairs: list[tuple[str, str]] = []
    for name, kind in _FIELDS.items():
        value = getattr(search, kind.name)
        if value != getattr(usual, kind.name):
            pairs += [(name, text) for text in kind.tell(value)]
    return tuple(pairs)


def to_data(search: Search) -> dict[str, Any]:
    """Return the same as JSON-able data: a list where a filter has several values, else a text."""
    data: dict[str, Any] = {}
    for name, value in to_pairs(search):
        if name not in data:
            data[name] = value
        else:
            data[name] = [*(data[name] if isinstance(data[name], list) else [data[name]]), value]
    return data


def is_filter(name: str) -> bool:
    """Tell whether a name in an address is one of the filters'."""
    return name in _FIELDS


@dataclass(frozen=True, slots=True)
class _Kind:
    """How one filter is read from its values (ValueError says what is wrong) and told again."""

    name: str
    take: Callable[[Sequence[str]], Any]
    tell: Callable[[Any], Sequence[str]] = field(default=lambda value: [str(value)])


def _bounded(values: Sequence[str]) -> Sequence[str]:
    if len(values) > MOST_VALUES:
        raise ValueError(f"{len(values)} values are too many: give at most {MOST_VALUES}")
    for value in values:
        if len(value) > LONGEST:
            raise ValueError(f"{value[:20]!r}... has {len(value)} characters: give at most {LONGEST}")
        if not value.isprintable():
            raise ValueError(f"{value[:20]!r} has signs that cannot be printed: leave them out")
    return values


def _one(values: Sequence[str]) -> str:
    if len(set(values)) > 1:
        raise ValueError(f"one value is wanted, not {len(values)}: {', '.join(values[:3])}")
    return values[0]


def _several(values: Sequence[str]) -> tuple[str, ...]:
    return tuple(sorted(set(values)))


def _member(kind: type[StrEnum]) -> Callable[[Sequence[str]], Any]:
    def take(values: Sequence[str]) -> StrEnum:
        return _of(kind, _one(values))

    return take


def _members(kind: type[StrEnum]) -> Callable[[Sequence[str]], Any]:
    def take(values: Sequence[str]) -> tuple[StrEnum, ...]:
        found = {_of(kind, value) for value in values}
        return tuple(member for member in kind if member in found)

    return take


def _of(kind: type[StrEnum], value: str) -> StrEnum:
    try:
        return kind(value)
    except ValueError:
        raise ValueError(f"no {value!r}: give one of {', '.join(member for member in kind if member)}") from None


_DAY = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_CLOCK = re.compile(r"([01]?\d|2[0-3]):([0-5]\d)-(?:([01]?\d|2[0-3]):([0-5]\d)|24:00)", re.ASCII)
_SECONDS = re.compile(r"\d{1,6}", re.ASCII)
_COUNT = re.compile(r"\d{1,7}", re.ASCII)
_LENGTH = re.compile(r"(?:(\d{1,3}):)?(\d{1,3}):([0-5]\d)", re.ASCII)


def _day(values: Sequence[str]) -> date:
    value = _one(values)
    try:
        if _DAY.fullmatch(value) and value >= "1970":
            return date.fromisoformat(value)
    except ValueError:
        pass  # a day that no month has: told below, as every other text that is no day
    raise ValueError(f"{value!r} is no day: write it as 2026-11-22")


def _clock(values: Sequence[str]) -> tuple[int, int]:
    value = _one(values).replace(" ", "")
    found = _CLOCK.fullmatch(value)
    if found is None:
        raise ValueError(f"{value!r} is no time of day: write it as 08:00-17:00")
    begin = int(found[1]) * 60 + int(found[2])
    end = int(found[3]) * 60 + int(found[4]) if found[3] else 24 * 60
    if begin == end:
        raise ValueError(f"{value!r} has no minute in it: it must end at another time than it begins")
    return begin, end


def _tell_clock(value: tuple[int, int]) -> list[str]:
    begin, end = value
    return [f"{begin // 60:02}:{begin % 60:02}-{end // 60:02}:{end % 60:02}"]


def _seconds(values: Sequence[str]) -> int:
    value = _one(values)
    found = _LENGTH.fullmatch(value)
    if found:
        seconds = int(found[1] or 0) * 3600 + int(found[2]) * 60 + int(found[3])
    elif _SECONDS.fullmatch(value):
        seconds = int(value)
    else:
        raise ValueError(f"{value!r} is no length: write seconds, or minutes and seconds as 2:30")
    if seconds > LONGEST_SECONDS:
        raise ValueError(f"{value!r} is longer than any call: at most {LONGEST_SECONDS} seconds")
    return seconds


def _yes_no(values: Sequence[str]) -> bool:
    value = _one(values)
    if value not in ("yes", "no"):
        raise ValueError(f"no {value!r}: give yes or no")
    return value == "yes"


def _count(values: Sequence[str]) -> int:
    value = _one(values)
    if not _COUNT.fullmatch(value) or int(value) > MOST_LIMIT:
        raise ValueError(f"{value!r} is no number of rows: give 0 (no limit) to {MOST_LIMIT}")
    return int(value)


def _do_not_fit(found: Mapping[str, Any]) -> dict[str, str]:
    """Return what is wrong with values that are right each for itself."""
    problems: dict[str, str] = {}
    custom = found.get("period") is Period.CUSTOM
    since, until = found.get("since"), found.get("until")
    if (since or until) and not custom:
        problems["from" if since else "to"] = "days count for a custom period only: add period=custom"
    if custom and not (since or until):
        problems["period"] = "a custom period has a first or a last day: give from, to or both"
    if since and until and since > until:
        problems["to"] = f"{until} is before {since}: exchange them"
    longer, shorter = found.get("longer"), found.get("shorter")
    if longer is not None and shorter is not None and longer > shorter:
        problems["shorter"] = f"{shorter} seconds are fewer than {longer}: nothing is as long and as short"
    return problems


_FIELDS: Final[dict[str, _Kind]] = {
    "period": _Kind("period", _member(Period)),
    "from": _Kind("since", _day),
    "to": _Kind("until", _day),
    "time": _Kind("time", _clock, _tell_clock),
    "hours": _Kind("hours", _member(Hours)),
    **{name: _Kind(name, _several, list) for name in ("user", "department", "district", "cost_centre", "office")},
    **{name: _Kind(name, _one) for name in ("own", "number", "ddi")},
    "direction": _Kind("direction", _members(Direction), list),
    "longer": _Kind("longer", _seconds),
    "shorter": _Kind("shorter", _seconds),
    "flag": _Kind("flag", _members(Flag), list),
    "tag": _Kind("tag", _one),
    "api_tag": _Kind("api_tag", _one),
    "outcome": _Kind("outcome", _several, list),
    "response": _Kind("response", _several, list),
    "evaluated": _Kind("evaluated", _yes_no, lambda value: ["yes" if value else "no"]),
    "state": _Kind("state", _members(Condition), list),
    "text": _Kind("text", _one),
    "sort": _Kind("sort", _member(Sort)),
    "limit": _Kind("limit", _count),
}

if {kind.name for kind in _FIELDS.values()} != {item.name for item in fields(Search)}:
    raise TypeError("a filter is missing in _FIELDS")
