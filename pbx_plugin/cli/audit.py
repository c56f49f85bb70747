"""``pbx-plugin audit``: who did what, and the proof that nobody changed it afterwards."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from pbx_plugin.cli import speech
from pbx_plugin.cli.calls import Limit, Since, moment
from pbx_plugin.cli.frame import WIDE, Company, Json, TroubleError, engine, looking, tenant_of
from pbx_plugin.db.audit_reading import AuditChains
from pbx_plugin.db.directory import read_directory
from pbx_plugin.db.listings import AuditFilter, Listings
from pbx_plugin.domain.audit import Break, Head
from pbx_plugin.services.directory import RefusedError

app = typer.Typer(
    help="The audit: who did what, in a chain that shows every change made to it.",
    no_args_is_help=True,
    context_settings=WIDE,
)

MOST = 2**31 - 1

Known = Annotated[
    str,
    typer.Option("--head", metavar="HEAD", help="What 'audit head' said before, kept elsewhere; needs one company."),
]


@app.command("list")
def list_entries(
    limit: Limit = 50,
    since: Since = "",
    subject: Annotated[str, typer.Option(metavar="ID", help="Only what was done to this, as a recording's id.")] = "",
    action: Annotated[str, typer.Option(metavar="WORDS", help="Only deeds of this kind, as 'listened'.")] = "",
    actor: Annotated[str, typer.Option(metavar="NAME", help="Only what exactly this one did.")] = "",
    json: Json = False,
    tenant: Company = "",
) -> None:
    """List the audit of one company, the last written first. Reading it is not itself audited."""
    wanted = AuditFilter(subject, action, actor, moment(since))
    with engine() as opened:
        with read_directory(opened) as directory:
            company = tenant_of(directory, tenant)
        found = Listings(opened).audit(company.id, wanted, limit or MOST, None)
    if json:
        speech.say_json([asdict(entry) for entry in found])
        return
    rows = [(e.at, e.actor, e.action, e.subject, _told(e.detail)) for e in found]
    speech.table(("at (UTC)", "who", "did", "to", "detail"), rows, "nothing like that in the audit")


@app.command()
def head(json: Json = False, tenant: Company = "") -> None:
    """Print how far a company's chain goes. Keep it elsewhere: 'audit verify --head' then proves the past by it."""
    with looking(tenant) as desk:
        company = desk.tenant
    with engine() as opened:
        found = AuditChains(opened).heads().get(company.id, Head())
    if json:
        speech.say_json({"company": company.name, "number": found.number, "digest": found.digest, "head": str(found)})
    else:
        speech.raw_line(str(found))


@app.command()
def verify(known: Known = "", json: Json = False, tenant: Company = "") -> None:
    """Name the first entry of each company that was altered, removed, inserted or reordered (exit code 1 then)."""
    written_down = _head(known)
    with engine() as opened:
        with read_directory(opened) as directory:
            names = {company.id: company.name for company in directory.tenants()}
            company = tenant_of(directory, tenant).id if tenant or written_down else None
        chains = AuditChains(opened)
        with speech.counting("entries", chains.entries()) as done:
            heads, broken = chains.verify(company, {company: written_down} if company and written_down else {}, done)
        guarded = chains.refuses_changes()
    if json:
        speech.say_json(
            {
                "whole": not broken,
                "refuses_changes": guarded,
                "chains": [
                    {"tenant_id": i, "company": names.get(i, ""), "entries": h.number, "head": str(h)}
                    for i, h in sorted(heads.items())
                ],
                "broken": [asdict(found) | {"company": names.get(found.tenant_id, "")} for found in broken],
            }
        )
    else:
        for company_id, reached in sorted(heads.items()):
            if company_id not in {found.tenant_id for found in broken}:
                speech.line(f"{names.get(company_id, company_id) or 'no company'}: whole, {reached.number} entries")
        if not guarded:
            speech.hint("the database itself does not refuse changes of the audit: its account may not make triggers")
    if broken:
        raise TroubleError("; ".join(_where(found, names) for found in broken))


def _head(known: str) -> Head | None:
    try:
        return Head.parse(known) if known else None
    except ValueError as error:
        raise RefusedError(str(error)) from error


def _where(found: Break, names: dict[str, str]) -> str:
    company = names.get(found.tenant_id, found.tenant_id) or "no company"
    row = f" ({found.id})" if found.id else ""
    return f"the audit of {company} is broken at entry {found.number}{row}: {found.why}"


def _told(detail: dict[str, object]) -> str:
    return ", ".join(f"{name}: {value}" for name, value in detail.items())
