"""``pbx-plugin recordings`` and ``gaps``: what was recorded, where it lies, and what should have been."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from pbx_plugin import clock
from pbx_plugin.cli import recordings_handing, speech
from pbx_plugin.cli.calls import Limit, Since, moment
from pbx_plugin.cli.frame import WIDE, Company, Json, TroubleError, records
from pbx_plugin.db.views import RecordingView
from pbx_plugin.services.directory import RefusedError
from pbx_plugin.settings import load_settings

app = typer.Typer(help="Recordings: what was recorded and where it lies.", no_args_is_help=True, context_settings=WIDE)

for command in (recordings_handing.delete, recordings_handing.expire, recordings_handing.export):
    app.command()(command)
app.command(hidden=True)(recordings_handing.undelete)

Name = Annotated[str, typer.Argument(metavar="RECORDING", help="Recording id or its beginning.")]


@app.command("list")
def list_recordings(
    limit: Limit = 50,
    since: Since = "",
    call: Annotated[str, typer.Option(metavar="CALL", help="Only those of this call.")] = "",
    json: Json = False,
    tenant: Company = "",
) -> None:
    """List recordings, newest first."""
    start, archive = moment(since), load_settings().paths.archive
    with records(tenant) as (queries, company):
        call_id = queries.call_anyhow(call, company.id).call.call_id if call else None
        found = queries.list_recordings(company.id, limit=limit, since=start, call_id=call_id)
    if json:
        speech.say_json([_plain(recording, archive) for recording in found])
        return
    columns = ("recording", "at (UTC)", "user", "direction", "other party", "seconds", "state", "rule", "call")
    rows = [
        (
            r.recording_id[:8],
            r.at,
            f"{r.user_name} ({r.extension})",
            r.direction,
            r.other_e164 or r.other_raw or "hidden",
            f"{r.length_ms / 1000:.1f}",
            r.state,
            r.rule,
            r.call_id[:8],
        )
        for r in found
    ]
    speech.table(columns, rows, "no recordings yet")


@app.command()
def show(recording: Name, json: Json = False, tenant: Company = "") -> None:
    """Show one recording: what is known of it, why it was made, and the consent that it rests on."""
    archive = load_settings().paths.archive
    with records(tenant) as (queries, company):
        detail = queries.recording_detail(recording, company.id)
    if json:
        speech.say_json({**asdict(detail), "recording": _plain(detail.recording, archive)})
        return
    r = detail.recording
    silent = [side for side, is_so in (("left", r.left_silent), ("right", r.right_silent)) if is_so]
    speech.fields(
        {
            "recording": r.recording_id,
            "at (UTC)": r.at,
            "user": f"{r.user_name} ({r.extension}), heard on the {r.user_side}",
            "direction": r.direction,
            "other party": r.other_e164 or r.other_raw or "hidden",
            "direct number": r.ddi,
            "segment": str(r.segment),
            "state": r.state,
            "ended because": r.close_reason,
            "failed because": r.fail_reason,
            "file": _path(r, archive),
            "length": f"{r.length_ms / 1000:.2f} s at {r.rate} Hz, {r.size} bytes" if r.path else "",
            "SHA-256": r.sha256,
            "silent sides": ", ".join(silent),
            "remarks": ", ".join(r.remarks),
            "rule": f"{r.rule}, policy version {r.policy_version}",
            "kept for": f"{r.retention_days} days{'' if r.deletable_by_hand else ', not deletable by hand'}",
            "kept until (UTC)": r.expires_at,
            "call": r.call_id,
            "consent": f"{detail.consent.outcome}, evidence {detail.consent.evidence_id}" if detail.consent else "",
        }
    )


@app.command()
def path(recording: Name, tenant: Company = "") -> None:
    """Print the absolute path of the stored file, and nothing else."""
    archive = load_settings().paths.archive
    with records(tenant) as (queries, company):
        found = queries.recording_detail(recording, company.id).recording
    place = _path(found, archive)
    if not place:
        raise RefusedError(f"recording {found.recording_id} has no stored file: it is {found.state}")
    if not Path(place).is_file():
        raise TroubleError(f"the file of recording {found.recording_id} is missing: {place}")
    speech.raw_line(place)


def gaps(
    limit: Limit = 50,
    since: Since = "",
    call: Annotated[str, typer.Option(metavar="CALL", help="Only those of this call.")] = "",
    json: Json = False,
    tenant: Company = "",
) -> None:
    """List what should have been recorded and was not, and why; newest first, all seconds counted together."""
    start, at = moment(since), clock.now()
    with records(tenant) as (queries, company):
        call_id = queries.call_anyhow(call, company.id).call.call_id if call else None
        found = queries.list_gaps(company.id, limit=0, since=start, call_id=call_id)
    shown = found[:limit] if limit else found
    if json:
        speech.say_json([{**asdict(gap), "seconds": gap.seconds(at)} for gap in shown])
        return
    columns = ("since (UTC)", "until (UTC)", "seconds", "user", "reason", "call")
    rows = [
        (gap.since, gap.until or "goes on", f"{gap.seconds(at):.1f}", gap.user_name, gap.reason, gap.call_id[:8])
        for gap in shown
    ]
    speech.table(columns, rows, "no gaps")
    if found:
        left_out = f", {len(found) - len(shown)} of them not shown" if len(found) > len(shown) else ""
        speech.line(f"{sum(gap.seconds(at) for gap in found):.1f} seconds in {len(found)} gaps{left_out}")


def _path(recording: RecordingView, archive: Path) -> str:
    return str(archive / recording.path) if recording.path else ""


def _plain(recording: RecordingView, archive: Path) -> dict[str, Any]:
    peaks = str(archive / recording.peaks_path) if recording.peaks_path else ""
    return {**asdict(recording), "file": _path(recording, archive), "peaks_file": peaks}
