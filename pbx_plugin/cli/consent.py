"""``pbx-plugin consent``: what callers were asked and what they pressed, and signed receipts of it."""

from __future__ import annotations

import hashlib
import os
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from pbx_plugin import clock
from pbx_plugin.cli import speech
from pbx_plugin.cli.calls import Limit, Since, moment
from pbx_plugin.cli.frame import WIDE, Actor, Company, Json, TroubleError, engine, named, records
from pbx_plugin.db.receipts import issue_for_call
from pbx_plugin.domain import receipt as receipts
from pbx_plugin.services.directory import RefusedError
from pbx_plugin.services.receipts import Finding, Verdict, fingerprint_of, verify
from pbx_plugin.settings import load_settings
from pbx_plugin.storage.site_keys import SiteKeyError, SiteKeys, read_public_key

app = typer.Typer(
    help="Consent: what callers heard and pressed, and signed receipts of it.",
    no_args_is_help=True,
    context_settings=WIDE,
)

EXITS = {Finding.GENUINE: 0, Finding.ALTERED: 3, Finding.FOREIGN_KEY: 4, Finding.OTHER_AUDIO: 5}
"""Exit codes of ``consent verify``; beside them 2: no receipt, or a file that cannot be read."""

LARGEST_KEY = 65_536
"""Bytes of a public key's file that are looked at."""


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


@app.command()
def receipt(
    call: Annotated[str, typer.Argument(metavar="CALL", help="Call or evidence: an id or its beginning, a linkedid.")],
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Folder to write the files into.")] = Path(),
    json: Json = False,
    tenant: Company = "",
    actor: Actor = "",
) -> None:
    """Write the signed receipts of a call's consents and refusals; a new version when what they state has changed."""
    if not out.is_dir():
        raise RefusedError(f"--out {str(out)!r} is not a folder")
    now = clock.now()
    keys = SiteKeys(load_settings().paths.keys)
    with records(tenant) as (_, company), engine() as opened:
        try:
            issued = issue_for_call(opened, company, call, lambda: keys.signer(now), now, named(actor))
        except SiteKeyError as error:
            raise TroubleError(str(error)) from error
    if not issued:
        raise RefusedError(f"call {call!r} has no consent evidence: nobody was asked")
    shown = []
    for facts, made in issued:
        path = out / f"receipt-{facts['evidence']}-v{made.version}.json"
        _write(path, made.content)
        shown.append(
            {
                "evidence": facts["evidence"],
                "outcome": facts["outcome"],
                "version": made.version,
                "key_id": made.key_id,
                "recordings": len(facts["recordings"]),
                "pending": len(facts["pending"]),
                "path": str(path),
            }
        )
    if json:
        speech.say_json(shown)
        return
    columns = ("outcome", "version", "recordings", "pending", "key", "file")
    rows = [(s["outcome"], s["version"], s["recordings"], s["pending"], s["key_id"], s["path"]) for s in shown]
    speech.table(columns, rows, "")


@app.command("verify")
def verify_receipt(
    file: Annotated[Path, typer.Argument(metavar="RECEIPT", help="File that 'consent receipt' wrote.")],
    audio: Annotated[
        list[Path] | None, typer.Argument(metavar="AUDIO", help="Recordings that it should speak of.")
    ] = None,
    key: Annotated[
        list[Path] | None,
        typer.Option(
            "--key", metavar="FILE", help="Public key of the company, from 'consent keys export'; repeatable."
        ),
    ] = None,
    fingerprint: Annotated[
        list[str] | None, typer.Option("--fingerprint", metavar="HEX", help="Fingerprint of such a key; repeatable.")
    ] = None,
    json: Json = False,
) -> None:
    """Verify a receipt and its audio, on any machine: 0 genuine, 2 none, 3 altered, 4 foreign key, 5 other audio."""
    try:
        found = receipts.read(_content(file, receipts.LARGEST + 1))
        keys = [read_public_key(_content(path, LARGEST_KEY), str(path)) for path in key or []]
    except receipts.NotAReceiptError as error:
        raise RefusedError(f"{file} is no receipt: {error}") from error
    except SiteKeyError as error:
        raise RefusedError(str(error)) from error
    hashes = {str(path): _sha256(path) for path in audio or []}
    verdict = verify(found, keys, fingerprint or [], hashes)
    given = [fingerprint_of(one) for one in keys] + (fingerprint or [])
    if json:
        speech.say_json(
            {
                "finding": verdict.finding.name.lower().replace("_", " "),
                "told": verdict.told,
                "key": "given" if given else "embedded",
                "fingerprint": verdict.fingerprint,
                "audio": dict(verdict.audio),
                "statement": found.statement if verdict.finding in _SIGNED else None,
            }
        )
    else:
        _show_verdict(file, found, verdict, given)
    raise typer.Exit(EXITS[verdict.finding])


_SIGNED = (Finding.GENUINE, Finding.FOREIGN_KEY, Finding.OTHER_AUDIO)


def _show_verdict(file: Path, found: receipts.Receipt, verdict: Verdict, given: list[str]) -> None:
    genuine = verdict.finding is Finding.GENUINE
    speech.line(f"{file}: {'GENUINE' if genuine else verdict.finding.value.upper()}: {verdict.told}")
    if verdict.finding is Finding.ALTERED:
        # Nothing that an altered receipt says is shown as if it were so.
        return
    stated = found.statement
    caller, heard = stated["caller"], stated["heard"]
    speech.fields(
        {
            "key used": "the one that you gave" if given else "the one inside the receipt",
            "fingerprint": verdict.fingerprint,
            "company": stated.get("company", ""),
            "caller": caller.get("e164") or caller.get("received") or "hidden",
            "answer": f"{stated['outcome']} (keys {stated['keys'] or 'none'})",
            "answered (UTC)": stated["answered_at"],
            "withdrawn (UTC)": stated.get("withdrawn_at", ""),
            "heard": f"{heard.get('language')}, text version {heard.get('text_version')}, kept for"
            f" {heard.get('keep_days')} days",
            "prompt's SHA-256": heard.get("prompt_sha256", ""),
            "policy version": str(stated.get("policy_version", "")),
            "receipt": f"version {found.version}, issued {stated['issued_at']}",
            "recordings": "; ".join(f"{one['id']}, SHA-256 {one['sha256']}" for one in stated["recordings"]) or "none",
            "pending": ", ".join(stated["pending"]),
            "audio": "; ".join(f"{name}: {recording or 'NOT of it'}" for name, recording in verdict.audio.items()),
        }
    )
    if genuine and not given:
        speech.hint("compare the fingerprint with the company's own ('consent keys list' there): anybody can sign")


def _content(path: Path, most: int) -> bytes:
    """Return a file's beginning, so that one without end is refused by its reader and does not fill the memory."""
    try:
        with path.open("rb") as file:
            return file.read(most)
    except OSError as error:
        raise RefusedError(f"{path} cannot be read: {error.strerror}") from error


def _sha256(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise RefusedError(f"{path} cannot be read: {error.strerror}") from error


def _write(path: Path, content: bytes) -> None:
    """Write a file for its owner and group, whole or not at all."""
    unfinished: Any = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with os.fdopen(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o640), "wb") as file:
            file.write(content)
        unfinished.replace(path)
    except OSError as error:
        raise TroubleError(f"{path} cannot be written: {error.strerror}") from error
