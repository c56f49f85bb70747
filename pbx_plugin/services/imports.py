"""What imports have in common: the difference of two tables, told before it is made and kept to be taken back."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pbx_plugin.services.directory import RefusedError
from pbx_plugin.services.people_records import ImportRun

Row = Mapping[str, str]
"""Texts by column, as they stand in a CSV file."""

Tick = Callable[[int, int], None]
"""Told how many of how many rows are done."""


@dataclass(frozen=True, slots=True)
class Change:
    """One thing that an import adds, changes or removes.

    Of a change, ``before`` and ``after`` have what differs, or all where the row has no id of its own.
    """

    kind: str
    id: str
    label: str
    before: Row | None
    after: Row | None

    @property
    def what(self) -> str:
        """``added``, ``changed`` or ``removed``."""
        if self.before is None:
            return "added"
        return "removed" if self.after is None else "changed"

    def differing(self) -> list[tuple[str, str, str]]:
        """Return the columns that differ, as (column, before, after); nothing for what was not or is no more."""
        if self.before is None or self.after is None:
            return []
        pairs = ((column, self.before.get(column, ""), text) for column, text in self.after.items())
        return [pair for pair in pairs if pair[1] != pair[2]]

    def plain(self) -> dict[str, Any]:
        """Return the change as it is kept and shown to programs."""
        before, after = (None if row is None else dict(row) for row in (self.before, self.after))
        return {"kind": self.kind, "id": self.id, "label": self.label, "before": before, "after": after}


@dataclass(frozen=True, slots=True)
class Options:
    """How an import is meant.

    What is not in the file stays, but for ``remove_missing``. Departments and units that do not exist are refused, but
    for ``add_units``. ``gone`` are ids to remove in any case; taking an import back needs that.
    """

    remove_missing: bool = False
    add_units: bool = False
    gone: frozenset[str] = frozenset()


@dataclass(slots=True)
class Diff:
    """What an import does: its changes, how many rows change nothing, what is not in the file and stays, remarks."""

    changes: list[Change] = field(default_factory=list)
    unchanged: int = 0
    missing: list[str] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)

    def take_in(self, other: Diff) -> None:
        """Add what another import of the same run does."""
        self.changes += other.changes
        self.unchanged += other.unchanged
        self.missing += other.missing
        self.remarks += other.remarks

    def count(self, what: str) -> int:
        """Return how many were ``added``, ``changed`` or ``removed``."""
        return sum(change.what == what for change in self.changes)

    def plain(self) -> dict[str, Any]:
        """Return the whole difference for programs."""
        return {
            "added": self.count("added"),
            "changed": self.count("changed"),
            "removed": self.count("removed"),
            "unchanged": self.unchanged,
            "missing": self.missing,
            "remarks": self.remarks,
            "changes": [{"what": change.what, **change.plain()} for change in self.changes],
        }


def compared(
    kind: str, identity: str, label: str, before: Row | None, after: Row | None, *, whole: bool = False
) -> Change | None:
    """Return what turns one row into the other, None when they are the same. ``whole`` keeps what does not differ."""
    if before is None or after is None:
        return Change(kind, identity, label, before, after)
    differing = [column for column in after if before.get(column, "") != after[column]]
    if not differing:
        return None
    if whole:
        return Change(kind, identity, label, before, after)
    was, becomes = ({column: row.get(column, "") for column in differing} for row in (before, after))
    return Change(kind, identity, label, was, becomes)


def recalled(run: ImportRun) -> list[Change]:
    """Return the changes of a run."""
    return [Change(c["kind"], c["id"], c["label"], c["before"], c["after"]) for c in run.changes]


def find_run(runs: Sequence[ImportRun], which: str) -> ImportRun:
    """Return a run by the beginning of its id, or the newest that was not taken back for ``last``.

    Raises RefusedError when there is none or more than one.
    """
    if which.casefold() == "last":
        found = [run for run in runs if run.undone_at is None][:1]
    else:
        found = [run for run in runs if which and run.id.startswith(which)]
    if len(found) == 1:
        return found[0]
    if found:
        raise RefusedError(f"import {which!r} could be several: give more of its id, see 'pbx-plugin imports list'")
    raise RefusedError(f"no import {which!r} that could be taken back: see 'pbx-plugin imports list'")


def yes(value: bool) -> str:
    """Return a choice as it stands in a cell."""
    return "yes" if value else "no"


def read_yes(text: str) -> bool:
    """Return the choice that a cell holds. Raises RefusedError for what is none."""
    word = text.strip().casefold()
    if word in ("yes", "true", "1", "x"):
        return True
    if word in ("no", "false", "0", ""):
        return False
    raise RefusedError("write yes or no")


def silent(done: int, of: int) -> None:
    """Tell nobody how far it is."""
    del done, of


def by_id(rows: Iterable[Row]) -> dict[str, Row]:
    """Return rows by their column ``id``."""
    return {row["id"]: row for row in rows}
