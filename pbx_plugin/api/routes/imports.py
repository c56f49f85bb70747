"""Imports: tables of users, groups, numbers and exclusions as CSV, what each import changed, and taking one back."""

from __future__ import annotations

import hashlib
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query
from fastapi import Body as Sent
from pydantic import AfterValidator

from pbx_plugin.api.caller import Caller, Needs
from pbx_plugin.api.problems import ProblemError, documented
from pbx_plugin.api.words import Cursor, DryRun, Limit, Name, Page, Shown, Since, Until, page_of, sound, span
from pbx_plugin.db.listings import Listings
from pbx_plugin.services import import_runs
from pbx_plugin.services.directory import RefusedError
from pbx_plugin.services.imports import Diff, Options, recalled
from pbx_plugin.services.people_records import ImportRun
from pbx_plugin.services.tokens import Scope

router = APIRouter(prefix="/v1/imports", tags=["imports"])

Reader = Annotated[Caller, Depends(Needs(Scope.IMPORTS_READ))]
Writer = Annotated[Caller, Depends(Needs(Scope.IMPORTS_WRITE))]

CSV = "text/csv"


class Table(StrEnum):
    """What a file is a table of."""

    USERS = "users"
    GROUPS = "groups"
    RECORDING_GROUPS = "recording-groups"
    NUMBERS = "numbers"
    EXCLUSIONS = "exclusions"


SUBJECTS = {
    Table.USERS: import_runs.USERS,
    Table.GROUPS: import_runs.HUNT_GROUPS,
    Table.RECORDING_GROUPS: import_runs.CIRCLES,
    Table.NUMBERS: import_runs.NUMBERS,
    Table.EXCLUSIONS: import_runs.EXCLUSIONS,
}


class ChangeShown(Shown):
    """One thing that an import adds, changes or removes: cells by column, null for what was not or is no more."""

    what: Literal["added", "changed", "removed"]
    kind: str
    id: str
    label: str
    before: dict[str, str] | None
    after: dict[str, str] | None


class DiffShown(Shown):
    """What an import changes. ``missing`` is not in the file and stays; ``unchanged`` counts what is so already."""

    added: int
    changed: int
    removed: int
    unchanged: int
    missing: list[str]
    remarks: list[str]
    changes: list[ChangeShown]


class Imported(DiffShown):
    """What an import changed; ``import_id`` is null where nothing changed, and in a dry run."""

    import_id: str | None


class RunShown(Shown):
    """An import that changed something: the file's name and SHA-256, by whom, and whether it was taken back."""

    id: str
    at: datetime
    author: str
    source: str
    sha256: str
    added: int
    changed: int
    removed: int
    undone_at: datetime | None
    undone_by: str


class RunDetail(RunShown):
    """An import with every change that it made."""

    changes: list[ChangeShown]


@router.get("")
def list_imports(
    caller: Reader, limit: Limit = 50, since: Since = None, until: Until = None, cursor: Cursor = ""
) -> Page[RunShown]:
    """List the imports that changed something, newest first, page by page."""
    rows = list(Listings(caller.site.engine).imports(caller.tenant.id, span(limit, since, until, cursor)))
    page = page_of(rows, limit, lambda run: (run.at, run.id))
    return Page[RunShown](items=[RunShown(**_run(run)) for run in page["items"]], next=page["next"])


@router.get("/{import_run}", responses=documented(404))
def show_import(caller: Reader, import_run: Name) -> RunDetail:
    """Show an import with every change that it made."""
    run = Listings(caller.site.engine).import_run(caller.tenant.id, import_run)
    return RunDetail(**_run(run), changes=_changes(Diff(changes=recalled(run))))


@router.post("")
def import_table(
    caller: Writer,
    table: Annotated[Table, Query(description="What the file is a table of.")],
    data: Annotated[bytes, Sent(media_type=CSV, min_length=1, description="The file: CSV in UTF-8, with a heading.")],
    source: Annotated[
        str,
        Query(
            min_length=1, max_length=import_runs.LONGEST_SOURCE, description="Its name, for complaints and the books."
        ),
        AfterValidator(sound),
    ] = "upload.csv",
    deactivate_missing: Annotated[bool, Query(description="What is not in the file goes; recordings stay.")] = False,
    add_departments: Annotated[
        bool, Query(description="Users only: add departments, districts, cost centres and offices not yet there.")
    ] = False,
    dry_run: DryRun = False,
) -> Imported:
    """Make a table so as a file says, all of it or nothing, and show what that changes. Twice changes nothing."""
    if add_departments and table is not Table.USERS:
        raise ProblemError(422, f"query.add_departments: only users have departments, not {table.value}")
    options = Options(remove_missing=deactivate_missing, add_units=add_departments)
    with caller.changing(dry_run=dry_run) as desk:
        diff = import_runs.run(desk, SUBJECTS[table], data, source, options)
        at = desk.at
    made = None
    if diff.changes and not dry_run:
        made = Listings(caller.site.engine).import_made(caller.tenant.id, at, hashlib.sha256(data).hexdigest())
    return Imported(**_diff(diff), import_id=made)


@router.post("/{import_run}/undo", responses=documented(404, 409))
def undo_import(caller: Writer, import_run: Name, dry_run: DryRun = False) -> DiffShown:
    """Take an import back, by its id: what it changed is as it was before. 409 where somebody changed it since."""
    run = Listings(caller.site.engine).import_run(caller.tenant.id, import_run)
    with caller.changing(dry_run=dry_run) as desk:
        try:
            _, diff = import_runs.undo(desk, run.id)
        except RefusedError as error:
            raise ProblemError(409, str(error)) from error
    return DiffShown(**_diff(diff))


def _run(run: ImportRun) -> dict[str, Any]:
    diff = Diff(changes=recalled(run))
    values = {name: getattr(run, name) for name in RunShown.model_fields if hasattr(run, name)}
    return {**values, **{what: diff.count(what) for what in ("added", "changed", "removed")}}


def _diff(diff: Diff) -> dict[str, Any]:
    return {**diff.plain(), "changes": _changes(diff)}


def _changes(diff: Diff) -> list[ChangeShown]:
    return [ChangeShown.model_validate({"what": change.what, **change.plain()}) for change in diff.changes]
