"""The excluded list as rows of a CSV file, and from such a file."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, time, timedelta

from pbx_plugin.domain.policy import Exclusion
from pbx_plugin.services import exclusions_service
from pbx_plugin.services.audit import Desk
from pbx_plugin.services.csv_table import Table, TableRow
from pbx_plugin.services.directory import Person, RefusedError
from pbx_plugin.services.imports import Change, Diff, Options, Row, Tick, compared, read_yes, silent, yes

KIND = "exclusions"
COLUMNS = ("number", "prefix", "user", "reason", "expires")
_Key = tuple[str, bool, str]


def exclusion_rows(desk: Desk) -> list[Row]:
    """Return the excluded list as rows, expired entries too, in the order in which they were added."""
    everyone = {person.id: person for person in desk.directory.people(desk.tenant.id, removed=True)}
    return [_row(exclusion, everyone) for exclusion in desk.directory.exclusions(desk.tenant.id)]


def read_expiry(text: str) -> datetime | None:
    """Return until when an exclusion holds (UTC); a day means its end, nothing means for good.

    Raises RefusedError for what is no date.
    """
    text = text.strip()
    if not text:
        return None
    try:
        moment = datetime.fromisoformat(text)
        if len(text) == len("2030-12-31"):
            moment = datetime.combine(moment.date() + timedelta(days=1), time())
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise RefusedError("this is not a date: write it as 2030-12-31 or 2030-12-31T12:00Z") from error


def import_exclusions(desk: Desk, table: Table, options: Options, tick: Tick = silent) -> Diff:
    """Make the excluded list so as the table says; a second time changes nothing.

    Numbers, prefixes and users stand for themselves: a row about one that is there changes its reason and expiry. What
    would be over already is not added, and a remark says so. ``options.gone`` are ids of exclusions. Raises
    RefusedError telling file, line, column and value.
    """
    diff = Diff()
    everyone = {person.id: person for person in desk.directory.people(desk.tenant.id, removed=True)}
    by_extension = {person.extension: person.id for person in everyone.values() if not person.removed}
    there = {_key(exclusion): exclusion for exclusion in desk.directory.exclusions(desk.tenant.id)}
    seen: dict[_Key, int] = {}
    new: list[Exclusion] = []
    gone: list[str] = []
    other: list[Exclusion] = []
    for done, row in enumerate(table.rows, 1):
        wanted = _wanted(desk, table, row, everyone, by_extension)
        key = _key(wanted)
        if key in seen:
            raise table.wrong(row, "user" if wanted.user_id else "number", f"line {seen[key]} excludes the same")
        seen[key] = row.line
        old = there.get(key)
        wanted = _kept(row, wanted, old)
        change = compared(
            KIND,
            wanted.id,
            _label(wanted, everyone),
            _row(old, everyone) if old else None,
            _row(wanted, everyone),
            whole=True,
        )
        if change is None:
            diff.unchanged += 1
        elif wanted.expires_at is not None and wanted.expires_at <= desk.at:
            diff.remarks.append(f"{table.source}, line {row.line}: {change.label} would be over already: left out")
        else:
            (other if old else new).append(wanted)
            diff.changes.append(change)
        tick(done, len(table.rows))
    for key, old in there.items():
        if key in seen:
            continue
        if options.remove_missing or old.id in options.gone:
            gone.append(old.id)
            diff.changes.append(Change(KIND, old.id, _label(old, everyone), _row(old, everyone), None))
        else:
            diff.missing.append(_label(old, everyone))
    desk.directory.delete_exclusions(desk.tenant.id, gone, author=desk.actor, at=desk.at)
    desk.directory.add_exclusions(desk.tenant.id, new, author=desk.actor, at=desk.at)
    for one in other:
        desk.directory.save_exclusion(desk.tenant.id, one, author=desk.actor, at=desk.at)
    desk.note_all(
        (f"exclusion {change.what}", change.id, {"before": change.before, "after": change.after})
        for change in diff.changes
    )
    return diff


def _wanted(
    desk: Desk, table: Table, row: TableRow, everyone: dict[str, Person], by_extension: dict[str, str]
) -> Exclusion:
    number, user = (row.cells.get(column, "").strip() for column in ("number", "user"))
    if bool(number) == bool(user):
        raise table.wrong(row, "number", "each row excludes either a number or a user")
    column = "number" if number else "user"
    try:
        pattern, prefix, identity = "", False, ""
        if number:
            column = "prefix"
            prefix = read_yes(row.cells.get("prefix", ""))
            column = "number"
            pattern = exclusions_service.clean_pattern(desk, number, prefix=prefix)
        else:
            identity = by_extension.get(user) or (user if user in everyone else "")
            if not identity:
                raise RefusedError("there is no such user: give the extension")
        column = "reason"
        reason = exclusions_service.clean_reason(row.cells.get("reason", ""))
        column = "expires"
        return Exclusion(desk.new_id(), pattern, prefix, identity, reason, read_expiry(row.cells.get("expires", "")))
    except RefusedError as error:
        raise table.wrong(row, column, str(error)) from error


def _kept(row: TableRow, wanted: Exclusion, old: Exclusion | None) -> Exclusion:
    """Return the exclusion that is there, with what the table says of it."""
    if old is None:
        return wanted
    return replace(
        old,
        reason=wanted.reason if "reason" in row.cells else old.reason,
        expires_at=wanted.expires_at if "expires" in row.cells else old.expires_at,
    )


def _key(exclusion: Exclusion) -> _Key:
    return exclusion.pattern, exclusion.prefix, exclusion.user_id


def _row(exclusion: Exclusion, everyone: dict[str, Person]) -> Row:
    user = everyone.get(exclusion.user_id)
    return {
        "number": exclusion.pattern,
        "prefix": yes(exclusion.prefix) if exclusion.pattern else "",
        "user": (user.extension if user else "") or exclusion.user_id,
        "reason": exclusion.reason,
        "expires": exclusion.expires_at.isoformat().replace("+00:00", "Z") if exclusion.expires_at else "",
    }


def _label(exclusion: Exclusion, everyone: dict[str, Person]) -> str:
    if exclusion.user_id:
        user = everyone.get(exclusion.user_id)
        return f"user {(user.extension or user.name) if user else exclusion.user_id}"
    return exclusion.pattern + ("…" if exclusion.prefix else "")
