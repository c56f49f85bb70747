"""Receipts at the command line: written on the site, verified in an empty folder elsewhere."""

from __future__ import annotations

import hashlib
import json
import os
import sqlite3
import stat
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from call_entries import NOON, TENANT, after, consent_taken, erased, intended, stored, whole_call
from cli_site import Said, Site, type_in
from pytest_mock import MockerFixture
from test_cli_calls import tell

from pbx_plugin.db.engine import make_engine
from pbx_plugin.db.receipts import DatabaseReceipts, issue_for_call
from pbx_plugin.domain.entries import ConsentRests, ConsentTaken, Entry, LegSeen, Marked
from pbx_plugin.domain.rulebook import Tenant
from pbx_plugin.storage.site_keys import SiteKeys

AUDIO = b"RIFF both sides"
SHA256 = hashlib.sha256(AUDIO).hexdigest()


@pytest.fixture
def site(tmp_path: Path, migrated_file: Path, monkeypatch: pytest.MonkeyPatch) -> Site:
    monkeypatch.setenv("PBX_PLUGIN_CONFIG", "")
    return Site(tmp_path, migrated_file)


@pytest.fixture
def elsewhere(tmp_path: Path) -> Path:
    """An empty folder, on which nothing of the site is known."""
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    return folder


def call_entries(*without: type[Entry]) -> list[Entry]:
    entries = [replace(e, sha256=SHA256) if e == stored() else e for e in whole_call()]
    return [entry for entry in entries if not isinstance(entry, without)]


def verify(elsewhere: Path, *words: object) -> Said:
    """Verify files, those with a relative name in the folder elsewhere, with a configuration that is not there."""
    found = [str(elsewhere / word) if isinstance(word, str) and "." in word else str(word) for word in words]
    return type_in("--config", "/nowhere/config.toml", "consent", "verify", *found)


def verify_elsewhere(elsewhere: Path, *words: object) -> Said:
    """Verify as somebody does who has only the program: no configuration, no home, an empty folder."""
    command = [sys.executable, "-m", "pbx_plugin.cli.main", "consent", "verify", *map(str, words)]
    environment = {"HOME": str(elsewhere), "PATH": os.defpath}
    done = subprocess.run(command, cwd=elsewhere, env=environment, capture_output=True, text=True, check=False)
    return Said(done.returncode, done.stdout, done.stderr)


def receipts(site: Site, folder: Path, name: str = "call-1") -> list[Path]:
    shown = site.does("consent", "receipt", name, "--out", str(folder), "--json").data
    return [Path(one["path"]) for one in shown]


def audited(site: Site) -> list[tuple[str, str, str, str]]:
    """Who did what to what, with which detail, in order."""
    database = sqlite3.connect(site.database)
    try:
        return database.execute("select actor, action, subject, detail from audit order by seq").fetchall()
    finally:
        database.close()


def known_without_control(entry: Entry, sent: str) -> Entry:
    """What the evidence and the caller's channel say when the caller sends this as their number."""
    if isinstance(entry, ConsentTaken):
        return replace(entry, caller_raw="", caller_e164="")
    if isinstance(entry, LegSeen) and entry.channel_id == consent_taken().channel_id:
        return replace(entry, number_raw=sent, number_e164="")
    return entry


def test_a_caller_whose_number_was_kept_from_the_dialplan_is_in_the_receipt(site: Site, elsewhere: Path) -> None:
    sent = "31\r\n20\0 0118"
    tell(site, *(known_without_control(entry, sent) for entry in call_entries()))
    (file,) = receipts(site, elsewhere)
    caller = json.loads(file.read_text())["statement"]["caller"]
    assert (caller["received"], caller["e164"]) == (sent, "")
    assert "call's own record" in caller["from"]
    said = verify(elsewhere, file.name)
    assert said.code == 0
    assert "\r" not in said.out
    assert "\0" not in said.out


@pytest.mark.wide
def test_a_receipt_with_its_audio_is_verified_on_another_machine(site: Site, elsewhere: Path) -> None:
    tell(site, *call_entries())
    (file,) = receipts(site, elsewhere)
    (elsewhere / "audio.wav").write_bytes(AUDIO)
    (elsewhere / "company.pem").write_text(site.does("consent", "keys", "export").out)
    assert stat.S_IMODE(file.stat().st_mode) & 0o027 == 0

    said = verify_elsewhere(elsewhere, file, "audio.wav", "--key", "company.pem")
    assert said.code == 0, said
    assert "GENUINE" in said.out
    assert "the one that you gave" in said.out
    assert "recording-1" in said.out


def test_without_a_key_the_verdict_says_that_the_receipt_s_own_was_used(site: Site, elsewhere: Path) -> None:
    tell(site, *call_entries())
    (file,) = receipts(site, elsewhere)
    (key,) = site.does("consent", "keys", "list", "--json").data

    said = verify(elsewhere, file)
    assert said.code == 0
    assert "the one inside the receipt" in said.out
    assert key["fingerprint"] in said.out
    assert "compare the fingerprint" in said.err


def test_a_changed_byte_swapped_audio_and_a_foreign_key_are_each_named(site: Site, elsewhere: Path) -> None:
    tell(site, *call_entries())
    (file,) = receipts(site, elsewhere)
    (elsewhere / "other.wav").write_bytes(AUDIO + b"!")
    swapped = verify(elsewhere, file, "other.wav")
    assert (swapped.code, "OTHER.WAV" in swapped.out.upper()) == (5, True)

    site.does("consent", "keys", "rotate")
    (elsewhere / "new.pem").write_text(site.does("consent", "keys", "export").out)
    foreign = verify(elsewhere, file, "--key", "new.pem")
    assert (foreign.code, "ANOTHER KEY" in foreign.out) == (4, True)

    content = bytearray(file.read_bytes())
    content[content.index(b"given")] ^= 1
    file.write_bytes(content)
    altered = verify(elsewhere, file)
    assert (altered.code, "ALTERED" in altered.out) == (3, True)
    assert "given" not in altered.out

    file.write_bytes(b"{}")
    nothing = verify(elsewhere, file)
    assert (nothing.code, "no receipt" in nothing.err) == (2, True)
    assert verify(elsewhere, "absent.json").code == 2
    assert verify(elsewhere, file, "--key", "absent.pem").code == 2


def test_an_old_key_still_verifies_what_it_signed(site: Site, elsewhere: Path) -> None:
    tell(site, *call_entries())
    (file,) = receipts(site, elsewhere)
    (old,) = site.does("consent", "keys", "list", "--json").data
    site.does("consent", "keys", "rotate")
    (elsewhere / "old.pem").write_text(site.does("consent", "keys", "export", old["key_id"]).out)
    assert verify(elsewhere, file, "--key", "old.pem").code == 0
    # The receipt is the same after the rotation: there is nothing new to sign.
    assert receipts(site, elsewhere) == [file]


def test_a_recording_that_is_not_complete_is_pending_and_the_next_version_has_it(site: Site, elsewhere: Path) -> None:
    tell(site, *call_entries(type(stored())))
    (first,) = site.does("consent", "receipt", "call-1", "--out", str(elsewhere), "--json").data
    assert (first["version"], first["recordings"], first["pending"]) == (1, 0, 1)
    content = Path(first["path"]).read_bytes()
    (again,) = site.does("consent", "receipt", "call-1", "--out", str(elsewhere), "--json").data
    assert again == first
    assert Path(first["path"]).read_bytes() == content

    tell(site, *call_entries())
    (second,) = site.does("consent", "receipt", "call-1", "--out", str(elsewhere), "--json").data
    assert (second["version"], second["recordings"], second["pending"]) == (2, 1, 0)
    assert second["path"] != first["path"]


def test_a_recording_that_was_erased_since_is_named_so_in_the_next_version(site: Site, elsewhere: Path) -> None:
    tell(site, *call_entries())
    (first,) = receipts(site, elsewhere)
    tell(site, *call_entries(), erased())
    (second,) = receipts(site, elsewhere)
    assert [path.stem[-2:] for path in (first, second)] == ["v1", "v2"]
    statement = json.loads(second.read_bytes())["statement"]
    assert (statement["recordings"], statement["not_kept"]) == ([], {"recording-1": "erased"})
    assert statement["replaces"] == hashlib.sha256(first.read_bytes()).hexdigest()
    content = second.read_bytes()
    assert receipts(site, elsewhere) == [second]
    assert second.read_bytes() == content


def test_everybody_who_is_heard_in_a_recording_has_a_receipt_that_names_it(site: Site, elsewhere: Path) -> None:
    """A second caller, and one in a call that a phone mixed with it."""
    other = replace(consent_taken("evidence-2"), linkedid="9.9", channel_id="9.9", at=after(2))
    tell(site, *call_entries(), other, ConsentRests("media-1", TENANT, "evidence-2", after(5)))
    for name in ("evidence-1", "evidence-2"):
        (file,) = receipts(site, elsewhere, name)
        statement = json.loads(file.read_bytes())["statement"]
        assert (statement["evidence"], statement["recordings"][0]["sha256"]) == (name, SHA256)


def test_a_withdrawal_is_in_the_receipt_whatever_the_clock_did_meanwhile(site: Site, elsewhere: Path) -> None:
    """The call goes on by the clock that it began under; the machine's was set forward before the caller answered."""
    answered = replace(consent_taken(), at=after(3600))
    entries = [answered if entry == consent_taken() else entry for entry in call_entries()]
    tell(site, *entries, Marked("call-1", after(40), "withdrawn", "our IVR", "evidence-1", (), "withdrawn by Anna"))
    (file,) = receipts(site, elsewhere)
    assert json.loads(file.read_bytes())["statement"]["withdrawn_at"] == "2026-11-22T12:00:40.250001Z"


def test_a_receipt_of_any_size_and_audio_of_an_hour_are_read_in_pieces(
    site: Site, elsewhere: Path, mocker: MockerFixture
) -> None:
    tell(site, *call_entries())
    (file,) = receipts(site, elsewhere)
    (elsewhere / "audio.wav").write_bytes(AUDIO)
    mocker.patch.object(Path, "read_bytes", side_effect=MemoryError)
    assert verify(elsewhere, file, "audio.wav").code == 0
    huge = elsewhere / "huge.json"
    with huge.open("wb") as hole:
        hole.truncate(50_000_000_000)
    assert "too large" in verify(elsewhere, huge).err


def test_who_had_a_version_issued_or_a_key_rotated_is_in_the_audit(site: Site, elsewhere: Path) -> None:
    tell(site, *call_entries())
    (file,) = receipts(site, elsewhere)
    receipts(site, elsewhere)
    fresh = site.does("consent", "keys", "rotate", "--actor", "Carla", "--json").data
    noted = [row for row in audited(site) if row[1] in ("consent receipt issued", "key of receipts rotated")]
    assert [row[1:3] for row in noted] == [
        ("consent receipt issued", "evidence-1"),
        ("key of receipts rotated", fresh["key_id"]),
    ], "the same version given out again is issued no second time"
    issued, rotated = (json.loads(row[3]) for row in noted)
    assert issued["version"] == 1
    assert issued["sha256"] == hashlib.sha256(file.read_bytes()).hexdigest()
    assert noted[1][0] == "Carla"
    assert rotated == {"fingerprint": fresh["fingerprint"]}


def test_a_key_is_not_rotated_while_the_audit_cannot_be_written(site: Site) -> None:
    site.does("consent", "keys", "rotate")
    before = site.does("consent", "keys", "list", "--json").data
    site.database.rename(site.database.with_suffix(".away"))
    assert site("consent", "keys", "rotate").code != 0
    assert site.does("consent", "keys", "list", "--json").data == before


def test_two_who_have_a_receipt_issued_at_once_get_the_same_whoever_looked_first(
    site: Site, mocker: MockerFixture
) -> None:
    """Who read the facts before a recording was complete does not issue a newer version with less in it."""
    tell(site, *call_entries(type(stored())))
    keys = SiteKeys(site.state / "keys")
    engine = make_engine(f"sqlite:///{site.database}")
    tenant = Tenant(site.rows()["tenant"][0][0], "Acme", "DK", "en")

    def issue() -> bytes:
        ((_, made),) = issue_for_call(engine, tenant, "call-1", lambda: keys.signer(NOON), NOON, "test")
        return made.content

    keep, others = DatabaseReceipts.keep, list[bytes]()

    def slowly(*arguments: Any) -> bool:
        if not others:
            others.append(b"")
            tell(site, *call_entries())
            others[0] = issue()
        return keep(*arguments)

    mocker.patch.object(DatabaseReceipts, "keep", slowly)
    assert issue() == others[0]
    assert issue() == others[0]
    engine.dispose()


def test_a_refusal_has_a_receipt_too(site: Site, elsewhere: Path) -> None:
    refused = replace(consent_taken(), outcome="refused", digits="2")
    silent = [e for e in call_entries() if not isinstance(e, (ConsentTaken, type(intended()), type(stored())))]
    tell(site, *silent, refused)
    (file,) = receipts(site, elsewhere)
    said = verify(elsewhere, file)
    assert said.code == 0
    assert "refused (keys 2)" in said.out


def test_a_caller_who_was_gone_before_there_was_a_call_has_a_receipt_by_the_evidence(
    site: Site, elsewhere: Path
) -> None:
    tell(site, replace(consent_taken(), evidence_id="lonely-evidence", linkedid="9.9", channel_id="9.9", at=after(1)))
    (file,) = receipts(site, elsewhere, "lonely")
    assert verify(elsewhere, file).code == 0


def test_a_call_without_consent_evidence_has_no_receipt(site: Site, elsewhere: Path) -> None:
    tell(site, *call_entries(ConsentTaken))
    said = site("consent", "receipt", "call-1", "--out", str(elsewhere))
    assert (said.code, "nobody was asked" in said.err) == (2, True)
    assert list(elsewhere.iterdir()) == []
    assert site("consent", "receipt", "call-1", "--out", "/nowhere").code == 2


def test_keys_are_asked_for_by_their_beginning(site: Site) -> None:
    assert site.does("consent", "keys", "list", "--json").data == []
    assert site("consent", "keys", "export").code == 2
    site.does("consent", "keys", "rotate")
    site.does("consent", "keys", "rotate")
    assert site("consent", "keys", "export", "x").code == 2
    assert [key["in_use"] for key in site.does("consent", "keys", "list", "--json").data] == [False, True]
