"""``pbx-plugin recordings delete``, ``expire`` and ``export``: letting recordings go, and taking them along."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, tzinfo
from pathlib import Path
from typing import Annotated

import typer

from pbx_plugin import clock
from pbx_plugin.bootstrap import build_eraser, finish_deletions
from pbx_plugin.cli import speech
from pbx_plugin.cli.frame import Actor, Company, DryRun, Json, TroubleError, engine, looking, named, records
from pbx_plugin.db.deletions import DatabaseDeletions
from pbx_plugin.db.exports import DatabaseExports
from pbx_plugin.db.handing import DatabaseHanding
from pbx_plugin.db.search import DatabaseSearch
from pbx_plugin.domain.access import Scope
from pbx_plugin.domain.handing import ExportState
from pbx_plugin.services import deleting
from pbx_plugin.services.audit import Desk
from pbx_plugin.services.deleting import EraseError
from pbx_plugin.services.directory import RefusedError
from pbx_plugin.services.exporting import MOST_RECORDINGS, Manifest, why_left_out
from pbx_plugin.services.handing import Recorded
from pbx_plugin.services.searching import read
from pbx_plugin.settings import load_settings
from pbx_plugin.storage.exporting import Packing

Names = Annotated[list[str] | None, typer.Argument(metavar="[RECORDING]...", help="Recording ids or their beginnings.")]
Selection = Annotated[
    str, typer.Option(metavar="FILE", help="File with recording ids, one a line; - is standard input.")
]
Find = Annotated[
    list[str] | None,
    typer.Option(metavar="FILTER=VALUE", help="All that fit, as period=last-week or number=+4531200118; repeatable."),
]
SHOWN = 50


def delete(
    recordings: Names = None,
    selection: Selection = "",
    find: Find = None,
    understood: Annotated[
        bool,
        typer.Option(
            "--i-understand-the-consequences",
            help="Without this nothing is deleted. There is no undelete; history and what is known of the call stay.",
        ),
    ] = False,
    resume: Annotated[bool, typer.Option("--resume", help="Only finish deletions that somebody died over.")] = False,
    dry_run: DryRun = False,
    json: Json = False,
    tenant: Company = "",
    actor: Actor = "",
) -> None:
    """Delete recordings for ever; what is held, still recorded or not to be deleted is refused (exit code 1)."""
    settings = load_settings()
    with engine() as opened:
        store = DatabaseDeletions(opened)
        if resume:
            _resume(json=json)
            return
        desk = _desk(tenant, actor)
        ids = _chosen(desk, recordings, selection, find)
        if dry_run:
            why = {one: store.obstacle(desk.tenant.id, one) for one in ids}
            outcome = deleting.Outcome([one for one in ids if not why[one]], [], {k: v for k, v in why.items() if v})
        elif not understood:
            what = f"{len(ids)} recordings" if len(ids) > 1 else "the recording"
            raise RefusedError(f"{what} would be gone for ever: add --i-understand-the-consequences, or --dry-run")
        else:
            with speech.counting("deleting", len(ids)) as tick:
                outcome = deleting.delete(store, build_eraser(settings), desk, ids, tick=tick)
    _tell(outcome, json=json, dry_run=dry_run)
    if outcome.unfinished:
        first = next(iter(outcome.unfinished.values()))
        raise TroubleError(f"the disk holds on to {len(outcome.unfinished)} files: {first}; then run it with --resume")
    if outcome.refused:
        raise typer.Exit(1)


def expire(
    recordings: Names = None,
    on: Annotated[str, typer.Option("--on", metavar="DAY", help="Day in UTC on which it goes, as 2026-12-24.")] = "",
    selection: Selection = "",
    find: Find = None,
    dry_run: DryRun = False,
    json: Json = False,
    tenant: Company = "",
    actor: Actor = "",
) -> None:
    """Let recordings go at another time: not before tomorrow, and not later than the caller was told."""
    try:
        wanted = datetime.fromisoformat(on).replace(tzinfo=UTC)
    except ValueError as error:
        raise RefusedError(f"--on {on!r} is no day: write it as 2026-12-24") from error
    done: list[str] = []
    refused: dict[str, str] = {}
    with engine() as opened:
        store = DatabaseDeletions(opened)
        desk = _desk(tenant, actor)
        ids = _chosen(desk, recordings, selection, find)
        with speech.counting("changing", len(ids)) as tick:
            for one in ids:
                try:
                    store.change_expiry(desk, one, wanted, dry_run=dry_run)
                    done.append(one)
                except RefusedError as error:
                    refused[one] = str(error)
                tick(1)
    if json:
        speech.say_json({"changed": done, "refused": refused, "expires_at": wanted, "dry_run": dry_run})
    else:
        for why in list(refused.values())[:SHOWN]:
            speech.line(why)
        would = "would go" if dry_run else "go"
        speech.line(f"{len(done)} recordings {would} at {speech.safe(wanted)} UTC, {len(refused)} stay as they are")
    if refused:
        raise typer.Exit(1)


def export(
    zip_file: Annotated[Path, typer.Option("--zip", metavar="FILE", help="Where the zip file goes, mode 0640.")],
    recordings: Names = None,
    selection: Selection = "",
    find: Find = None,
    time_zone: Annotated[str, typer.Option(metavar="ZONE", help="Zone of the times in names. [default: UTC]")] = "",
    json: Json = False,
    tenant: Company = "",
    actor: Actor = "",
) -> None:
    """Write recordings into a zip file, with a manifest of their hashes and of what was left out; each is audited."""
    zone: tzinfo | None = clock.time_zone(time_zone) if time_zone else UTC
    if zone is None:
        raise RefusedError(f"--time-zone {time_zone!r} is not known here: give one such as Europe/Copenhagen")
    archive = load_settings().paths.archive
    with engine() as opened:
        desk = _desk(tenant, actor)
        ids = _chosen(desk, recordings, selection, find)
        exports, handing = DatabaseExports(opened), DatabaseHanding(opened)
        everything, rules = Scope(desk.tenant.id, everything=True), handing.rules(desk.tenant.id)

        def look(recording_id: str) -> tuple[Recorded | None, str]:
            found = handing.one(everything, recording_id)
            return found, why_left_out(None, rules, found)

        wanted = exports.ask(desk, "", ids)
        exports.start(wanted)
        packing = Packing(archive, zone, Manifest(wanted.id, desk.tenant.name, desk.at, desk.actor))
        state = ExportState.BROKEN
        try:
            with speech.counting("packing", len(ids)) as tick:
                stream = packing.stream(ids, look, lambda one: exports.hand_over(desk, wanted, one), lambda: tick(1))
                size = _write(zip_file, stream)
            exports.progress(wanted, done=packing.done, left_out=packing.left_out, sent=packing.sent)
            state = ExportState.DONE
        finally:
            exports.end(desk, wanted, state, packing.manifest_sha256)
    told = {
        "export_id": wanted.id,
        "file": str(zip_file),
        "size": size,
        "recordings": len(ids) - packing.left_out,
        "left_out": packing.left_out,
        "manifest_sha256": packing.manifest_sha256,
    }
    if json:
        speech.say_json(told)
    else:
        speech.line(f"{told['recordings']} recordings in {zip_file} ({size} bytes), {packing.left_out} left out")
        speech.line(f"SHA-256 of manifest.json: {packing.manifest_sha256}")
    if packing.left_out:
        speech.hint("manifest.json in the file says what was left out and why")
        raise typer.Exit(1)


def undelete() -> None:
    """Say that what was deleted cannot be brought back."""
    raise RefusedError(
        "there is no undelete: the sound of a deleted recording is gone; only a backup may still have it"
    )


def _desk(tenant: str, actor: str) -> Desk:
    with looking(tenant) as desk:
        return Desk(desk.directory, desk.tenant, named(actor), desk.at, desk.new_id)


def _chosen(desk: Desk, names: Sequence[str] | None, selection: str, find: Sequence[str] | None) -> list[str]:
    """Return the recordings that are meant, each once. Raises RefusedError for names that are none or several."""
    found: list[str] = []
    with records(desk.tenant.id) as (queries, company):
        for name in [*(names or ()), *_lines(selection)]:
            found.append(queries.recording_detail(name, company.id).recording.recording_id)
    if find:
        pairs = [(name, value) for name, _, value in (one.partition("=") for one in find)]
        if not any(name == "period" for name, _ in pairs):
            pairs.append(("period", "all"))
        with engine() as opened:
            scope = Scope(desk.tenant.id, everything=True)
            search = DatabaseSearch(opened)
            found += search.ids(scope, read([*pairs, ("limit", "0")]), desk.at, most=MOST_RECORDINGS + 1)
    ids = list(dict.fromkeys(found))
    if not ids:
        raise RefusedError("no recording is chosen: name some, or give --selection FILE or --find FILTER=VALUE")
    if len(ids) > MOST_RECORDINGS:
        raise RefusedError(f"more than {MOST_RECORDINGS} recordings are chosen: choose fewer at a time")
    return ids


def _lines(selection: str) -> list[str]:
    if not selection:
        return []
    try:
        text = sys.stdin.read() if selection == "-" else Path(selection).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise RefusedError(f"--selection {selection}: {error}") from error
    return [line.strip() for line in text.splitlines() if line.strip()]


def _write(path: Path, content: Iterable[bytes]) -> int:
    """Write a new file under a hidden name first, so that there is never half a zip file under the right one."""
    part = path.with_name(f".{path.name}.part")
    size = 0
    try:
        fd = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o640)
        try:
            with os.fdopen(fd, "wb") as file:
                for piece in content:
                    size += file.write(piece)
                file.flush()
                os.fsync(file.fileno())
            part.replace(path)
        except BaseException:
            part.unlink(missing_ok=True)
            raise
    except OSError as error:
        raise TroubleError(f"{path} cannot be written: {error.strerror or error}") from error
    return size


def _resume(*, json: bool) -> None:
    settings = load_settings()
    with engine() as opened:
        try:
            done = finish_deletions(settings, opened, clock.now())
        except EraseError as error:
            raise TroubleError(f"some files cannot be removed yet: {error}") from error
    if json:
        speech.say_json({"finished": done})
    else:
        speech.line(f"{done} deletions finished" if done else "no deletion was left unfinished")


def _tell(outcome: deleting.Outcome, *, json: bool, dry_run: bool) -> None:
    if json:
        speech.say_json({**outcome.as_data(), "dry_run": dry_run})
        return
    for why in list(outcome.refused.values())[:SHOWN]:
        speech.line(why)
    would = "would be deleted" if dry_run else "deleted"
    asked = f", {len(outcome.asked)} wait for a second person" if outcome.asked else ""
    speech.line(f"{len(outcome.deleted)} {would}{asked}, {len(outcome.refused)} refused")
