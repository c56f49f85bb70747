"""``pbx-plugin policy try``: what would this draft have done to last month's calls?"""

from __future__ import annotations

import gc
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated, Any

import typer

from pbx_plugin import clock
from pbx_plugin.cli import speech
from pbx_plugin.cli.calls import moment
from pbx_plugin.cli.frame import Company, Json, engine, tenant_of
from pbx_plugin.cli.policy_words import read_file
from pbx_plugin.db.directory import read_directory
from pbx_plugin.db.stored_calls import StoredCalls
from pbx_plugin.domain.policy import PolicyVersion
from pbx_plugin.services import policies, policy_drafts, policy_trial
from pbx_plugin.services.audit import Desk
from pbx_plugin.services.directory import RefusedError

_DAYS = re.compile(r"([1-9]\d{0,3})d", re.ASCII)
_KINDS = {
    "gained": "would be recorded, and were not",
    "lost": "would not be recorded, and were",
    "without_consent": "would be recorded, but there is no consent",
    "unanswerable": "cannot be told from what is stored",
}
_COLUMNS = ("recorded", "would_be", "gained", "lost", "without_consent")
_HEADINGS = ("recorded", "would be", "gained", "lost", "no consent")


def try_policy(
    what: Annotated[
        str,
        typer.Argument(metavar="[DRAFT|FILE]", help="A draft, or a document (TOML, JSON). [default: the only draft]"),
    ] = "",
    since: Annotated[
        str, typer.Option(metavar="WHEN", help="Calls of so many days, as 30d, or from this day or time (UTC) on.")
    ] = "30d",
    json: Json = False,
    tenant: Company = "",
) -> None:
    """Decide the calls of the past anew by a draft, and show what it would have changed; nothing is changed."""
    start = _since(since, clock.now())
    with engine() as opened:
        with read_directory(opened) as directory:
            company = tenant_of(directory, tenant)
            desk = Desk(directory, company, "", clock.now(), str)
            policy = _policy(desk, what)
            trial = policy_trial.begin(desk, policy)
        stored = StoredCalls(opened, company.id, start)
        with speech.counting("deciding anew", stored.count()) as done, _no_cycles():
            for portion in stored.portions():
                trial.add(portion)
                done(len(portion))
        with read_directory(opened) as directory:
            result = {"since": start, **policy_trial.result(replace(desk, directory=directory), trial)}
    if json:
        speech.say_json(result)
    else:
        _show(result)


@contextmanager
def _no_cycles() -> Iterator[None]:
    """Look for no cycles of garbage meanwhile: calls read from the database make none, and looking takes a third."""
    looked = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if looked:
            gc.enable()


def _policy(desk: Desk, what: str) -> PolicyVersion:
    # A draft of that name goes before a file of that name.
    if not what or any(draft.name == what for draft in desk.directory.drafts(desk.tenant.id)):
        return policies.read(desk, policy_drafts.document_of(desk, policy_drafts.find(desk, what)))
    if what == "-" or Path(what).exists():
        return policies.read(desk, read_file(Path(what)))
    raise RefusedError(f"{what!r} is neither a draft nor a file: see 'pbx-plugin policy draft list'")


def _since(text: str, now: datetime) -> datetime:
    days = _DAYS.fullmatch(text)
    start = now - timedelta(days=int(days.group(1))) if days else moment(text)
    if start is None:
        raise RefusedError("--since is empty: give days, as 30d, or a day, as 2030-12-31")
    return start


def _show(result: dict[str, Any]) -> None:
    speech.line(
        f"{result['calls']} calls since {speech.safe(result['since'])} UTC, {result['parts']} users' parts in them: "
        f"{result['recorded']} were recorded, {result['would_be']} would be"
    )
    armed = result["lost_but_armed"]
    speech.fields(
        {
            "gained": str(result["gained"]),
            "lost": f"{result['lost']}" + (f" ({armed} of them armed: the user could switch it on)" if armed else ""),
            "no consent": f"{result['without_consent']} would be recorded, had consent been given",
            "cannot be told": str(result["unanswerable"] or ""),
            "nothing decided": f"{result['calls_without_decision']} calls: not answered, or by nobody of the company",
        }
    )
    _section("by department", ("department", *_HEADINGS), [(n, t) for n, t in result["by_department"].items()])
    _section("by rule", ("rule", *_HEADINGS), [(f"{t['rule']} {t['name']}", t) for t in result["by_rule"]])
    for kind, heading in _KINDS.items():
        found = result["examples"].get(kind)
        if found:
            speech.line()
            speech.line(f"{heading}, for example:")
            columns = ("call", "began (UTC)", "user", "direction", "then", "now", "why")
            rows = [
                (e["call_id"][:8], e["at"], e["user"], e["direction"], e["then"], e["now"], e["why"]) for e in found
            ]
            speech.table(columns, rows, "")
    speech.line()
    speech.line("People, numbers and the excluded list are taken as they were; what could not be captured is left out.")


def _section(title: str, columns: tuple[str, ...], rows: list[tuple[str, Any]]) -> None:
    if rows:
        speech.line()
        speech.line(f"{title}:")
        speech.table(columns, [(name, *(tally[column] for column in _COLUMNS)) for name, tally in rows], "")
