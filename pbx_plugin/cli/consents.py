"""``pbx-plugin consents``: the evidence of what callers were asked and what they pressed."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from pbx_plugin.cli import speech
from pbx_plugin.cli.calls import Limit, Since, moment
from pbx_plugin.cli.frame import WIDE, Company, Json, records

app = typer.Typer(help="Consent evidence: what callers heard and pressed.", no_args_is_help=True, context_settings=WIDE)


@app.command("list")
def list_consents(limit: Limit = 50, since: Since = "", json: Json = False, tenant: Company = "") -> None:
    """List consent evidence, newest first."""
    start = moment(since)
    with records(tenant) as (queries, company):
        found = queries.list_consents(company.id, limit=limit, since=start)
    if json:
        speech.say_json([asdict(consent) for consent in found])
        return
    columns = ("evidence", "at (UTC)", "from", "number", "outcome", "keys", "language", "linkedid")
    rows = [
        (
            c.evidence_id[:8],
            c.at,
            c.caller_e164 or c.caller_raw,
            c.consent_number,
            c.outcome,
            c.digits,
            c.language,
            c.linkedid,
        )
        for c in found
    ]
    speech.table(columns, rows, "nobody was asked yet")


@app.command()
def show(
    evidence: Annotated[str, typer.Argument(metavar="EVIDENCE", help="Evidence id or its beginning.")],
    json: Json = False,
    tenant: Company = "",
) -> None:
    """Show one consent: which key, when, and what exactly the caller had heard."""
    with records(tenant) as (queries, company):
        consent = queries.consent(evidence, company.id)
    if json:
        speech.say_json(asdict(consent))
        return
    speech.fields(
        {
            "evidence": consent.evidence_id,
            "from": consent.caller_e164 or consent.caller_raw or "hidden",
            "number": consent.consent_number,
            "asked (UTC)": consent.asked_at,
            "answered (UTC)": consent.at,
            "outcome": consent.outcome,
            "keys": consent.digits,
            "language": consent.language,
            "prompt": consent.prompt,
            "prompt's SHA-256": consent.prompt_sha256,
            "text version": consent.text_version,
            "kept for": f"{consent.keep_days} days",
            "policy version": str(consent.policy_version),
            "linkedid": consent.linkedid,
            "channel": consent.channel_id,
        }
    )
