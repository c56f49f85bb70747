"""``pbx-plugin calls`` and ``explain``: what happened to a call, and why it was or was not recorded."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime, time
from typing import Annotated, Any

import typer

from pbx_plugin.cli import speech
from pbx_plugin.cli.frame import WIDE, Company, Json, records
from pbx_plugin.db.queries import NotFoundError
from pbx_plugin.db.views import CallDetail, CallView
from pbx_plugin.services.directory import RefusedError
from pbx_plugin.services.explanation import explain_call, explain_untold
from pbx_plugin.settings import load_settings
from pbx_plugin.storage.journal_peek import waiting_entries

app = typer.Typer(help="Calls, recorded or not.", no_args_is_help=True, context_settings=WIDE)

Name = Annotated[
    str, typer.Argument(metavar="CALL", help="Call id or its beginning, or Asterisk's linkedid or uniqueid.")
]
Limit = Annotated[int, typer.Option(metavar="COUNT", help="At most so many, the newest; 0 is all.", min=0)]
Since = Annotated[str, typer.Option(metavar="WHEN", help="Only from this day or time (UTC) on, as 2030-12-31.")]


@app.command("list")
def list_calls(limit: Limit = 50, since: Since = "", json: Json = False, tenant: Company = "") -> None:
    """List calls, newest first."""
    start = moment(since)
    with records(tenant) as (queries, company):
        found = queries.list_calls(company.id, limit=limit, since=start)
    if json:
        speech.say_json([asdict(call) for call in found])
        return
    columns = ("call", "began (UTC)", "direction", "from", "to", "outcome", "verdicts", "recordings")
    rows = [
        (
            call.call_id[:8],
            call.began_at,
            call.direction,
            call.caller_e164 or call.caller_raw or "hidden",
            call.ddi_e164 or call.ddi_raw or call.dialled_raw,
            _outcome(call),
            ", ".join(call.verdicts),
            call.recordings,
        )
        for call in found
    ]
    speech.table(columns, rows, "no calls yet")


@app.command()
def show(call: Name, json: Json = False, tenant: Company = "") -> None:
    """Show one call: its legs, time line, marks, decisions, consents, recordings and gaps."""
    with records(tenant) as (queries, company):
        detail = queries.call_anyhow(call, company.id)
    if json:
        speech.say_json(asdict(detail))
        return
    _show_call(detail)
    legs = [(leg.joined_at, leg.channel_name or leg.channel_id, _leg_name(leg)) for leg in detail.legs]
    _section("legs", ("joined (UTC)", "channel", "who"), legs)
    channels = {leg.channel_id: leg.channel_name for leg in detail.legs}
    steps = [(s.at, channels.get(s.channel_id) or s.channel_id, s.what, s.detail) for s in detail.timeline]
    _section("time line", ("at (UTC)", "channel", "what", "detail"), steps)
    marks = [(mark.at, mark.consent, mark.consent_by, mark.cause) for mark in detail.marks]
    _section("marks", ("at (UTC)", "consent", "asked by", "cause"), marks)
    decided = [(d.at, d.user_name, d.verdict, f"{d.rule} {d.rule_name}") for d in detail.decisions]
    _section("decisions", ("at (UTC)", "user", "verdict", "rule"), decided)
    consents = [(c.at, c.consent_number, c.outcome, c.digits, c.evidence_id) for c in detail.consents]
    _section("consent", ("at (UTC)", "number", "outcome", "keys", "evidence"), consents)
    recordings = [
        (r.recording_id[:8], r.at, r.user_name, r.state, r.length_ms / 1000, r.path) for r in detail.recordings
    ]
    _section("recordings", ("recording", "at (UTC)", "user", "state", "seconds", "path"), recordings)
    gaps = [(gap.since, gap.until or "goes on", gap.user_name, gap.reason) for gap in detail.gaps]
    _section("gaps", ("since (UTC)", "until", "user", "reason"), gaps)


def explain(call: Name, json: Json = False, tenant: Company = "") -> None:
    """Say in plain words why a call was or was not recorded: the rule that decided, and those it beat."""
    with records(tenant) as (queries, company):
        names = queries.names(company.id)
        try:
            detail = queries.call_anyhow(call, company.id)
            told = explain_call(asdict(detail), names)
        except NotFoundError:
            found = _from_the_journal(call, company.id, names)
            if found is None:
                raise
            detail, told = None, found
    if json:
        speech.say_json(told)
        return
    if detail is not None:
        _show_call(detail)
    else:
        speech.fields({"call": told["call"]["call_id"], "began (UTC)": told["call"]["began_at"]})
    speech.line()
    for sentence in told["words"]:
        speech.line(sentence)
    for decision in told["decisions"]:
        speech.line()
        speech.line(f"{speech.safe(decision['at'])} UTC")
        for sentence in decision["words"]:
            speech.line(f"  {sentence}")
    steps = sorted((*told["announcements"], *told["codes"]), key=lambda step: step["at"])
    _section(
        "announcements and codes", ("at (UTC)", "what", "detail"), [(s["at"], s["what"], s["detail"]) for s in steps]
    )


def _from_the_journal(call: str, tenant_id: str, names: Mapping[str, str]) -> dict[str, Any] | None:
    """Return what the journals say of a call that the database was not told of, None where they say nothing."""
    try:
        waiting = list(waiting_entries(load_settings().paths.journal))
    except OSError:
        # Whoever may not read the journal is told that the call is not known, which is all that they may know.
        return None
    return explain_untold(waiting, call, tenant_id, names)


def moment(text: str) -> datetime | None:
    """Return the day's beginning or the time that was typed (UTC unless it says otherwise), None for nothing."""
    if not text:
        return None
    try:
        at = datetime.fromisoformat(text)
        at = datetime.combine(at.date(), time()) if len(text) == len("2030-12-31") else at
        return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise RefusedError(f"--since {text!r} is not a date: write it as 2030-12-31 or 2030-12-31T12:00Z") from error


def _show_call(detail: CallDetail) -> None:
    call = detail.call
    speech.fields(
        {
            "call": call.call_id,
            "began (UTC)": call.began_at,
            "ended (UTC)": call.ended_at,
            "direction": call.direction,
            "from": call.caller_e164 or call.caller_raw or "hidden",
            "shown name": call.caller_name,
            "direct number": call.ddi_e164 or call.ddi_raw,
            "dialled": call.dialled_raw,
            "outcome": _outcome(call),
            "policy version": str(call.policy_version),
            "recording off": "yes, when the call began" if call.off_at_start else "",
            "linkedids": ", ".join(detail.linkedids),
            "merged from": ", ".join(other.call_id for other in detail.merged_from),
        }
    )


def _outcome(call: CallView) -> str:
    if call.merged_into:
        return f"became part of {call.merged_into[:8]}"
    return call.outcome or "goes on"


def _leg_name(leg: Any) -> str:
    who = leg.user_name or leg.number_e164 or leg.number_raw or "hidden"
    who = f'{who} "{leg.display_name}"' if leg.display_name else who
    return f"{who} (calling)" if leg.originating else str(who)


def _section(title: str, columns: tuple[str, ...], rows: list[Any]) -> None:
    if rows:
        speech.line()
        speech.line(f"{title}:")
        speech.table(columns, rows, "")
