"""Callers who put programs, queries and pages where number and name should be: words, to everybody who reads them.

Some of them have a telephone that keeps to the rules, others write every byte themselves.
"""

from __future__ import annotations

import io
import json
import os
import re
import sqlite3
import unicodedata
from concurrent.futures import ThreadPoolExecutor
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import pytest
import structlog
from kinds import ready
from raw_sip import RawCall
from stage import Stage, wait_for

from pbx_plugin.cli.main import main
from pbx_plugin.clock import now
from pbx_plugin.db.views import CallDetail
from pbx_plugin.sandbox.site_people import ddi_of
from pbx_plugin.settings import CONFIG_VARIABLE

CANARY = "pbxrec_canary"
DO = f"touch /tmp/{CANARY}"
GOOD = b"+4531299001"
A_MOMENT = timedelta(milliseconds=100)
"""Asterisk counts milliseconds, and the caller is quicker than one."""
USERS = ("201", "202", "203", "239")
"""In mode always; each lane of calls has a user of its own."""


def from_name(name: bytes) -> list[bytes]:
    """A From with a good number and this name."""
    quoted = name.replace(b"\\", b"\\\\").replace(b'"', b'\\"')
    return [b'From: "' + quoted + b'" <sip:' + GOOD + b"@127.0.0.2>;tag=x"]


def from_number(number: bytes) -> list[bytes]:
    """A From with this user part."""
    return [b"From: <sip:" + number + b"@127.0.0.2>;tag=x"]


def escaped(text: str) -> bytes:
    """Text as SIP allows any byte in a user part: percent and two digits."""
    return b"".join(b"%%%02X" % byte for byte in text.encode())


LONGEST = 79
"""Bytes of a number or a name that PJSIP hands on in Asterisk."""


@dataclass(frozen=True)
class Caller:
    """What the INVITE says beside what every INVITE says; ``number`` is what is kept as the caller's, None if open."""

    head: list[bytes]
    number: str | None = None
    answered: bool | None = True
    """Whether such a call is taken; None where a PBX may do either."""
    kept: tuple[str, str] | None = None
    """Number and name as Asterisk hands them on and we must keep them, sign for sign; None where it makes them anew."""


def named(text: str) -> Caller:
    """A good number with this name, which Asterisk hands on as it is but for its end."""
    return Caller(from_name(text.encode()), GOOD.decode(), kept=(GOOD.decode(), text[:LONGEST]))


def numbered(text: str) -> Caller:
    """This text where the number should be; what stands behind a semicolon is no part of it in SIP."""
    return Caller(from_number(escaped(text)), kept=(text.partition(";")[0], ""))


CALLERS = {
    "name: dialplan": named(f"${{SHELL({DO})}}${{EVAL(${{SHELL({DO})}})}}&|^,"),
    "name: query and page": Caller(
        from_name(f"x'); CREATE TABLE {CANARY}(x); --\"<script>alert(1)</script>".encode()), GOOD.decode()
    ),
    "name: shell and path": named(f"`{DO}`$({DO});../../../../tmp/{CANARY}"),
    "name: terminal": Caller(from_name(b"\x1b]0;owned\x07\x1b[2J\x9b31m\x7f\x08"), GOOD.decode(), None),
    "name: scripts": named("𝒜👩\u200d👧 \u202egnp.exe\u2066 שלום"),
    "name: formula": named("=1+1|' /C calc'!A0"),
    "name: no UTF-8": Caller(from_name("Ærø Å".encode("latin-1") + b"\xff\xfe\xc3"), GOOD.decode(), None),
    "name: ten kilobytes": Caller(from_name(b"A" * 10_240), GOOD.decode(), None, (GOOD.decode(), "A" * LONGEST)),
    "name: folded line": Caller(
        [b'From: "x\r\n X-Evil: y" <sip:' + GOOD + b"@127.0.0.2>;tag=x"], GOOD.decode(), None
    ),
    "name: end of line": Caller([*from_name(b"x"), b"X-Evil: y\nFrom: <sip:evil@evil>"], None, None),
    "name: zero": Caller(from_name(b"x\0y"), None, None),
    "number: dialplan": numbered(f"${{SHELL({DO})}}"),
    "number: dialplan, not escaped": Caller(from_number(f"${{SHELL(>/tmp/{CANARY})}}".encode()), None, None),
    "number: separators": numbered("31299001&PJSIP/202|30,t^1"),
    "number: query": numbered(f"1'); CREATE TABLE {CANARY}(x); --"),
    "number: page": numbered('"><script>alert(1)</script>'),
    "number: path": numbered(f"../../../../tmp/{CANARY}"),
    "number: terminal": numbered("\x1b]0;owned\x07\x1b[2J"),
    "number: lines": numbered("1\r\nAction: Originate\r\n\r\n[a]\nexten => 1,1,NoOp"),
    "number: scripts": numbered("٣١٢٩٩٠٠١ \u202e 𝒜"),
    "number: zero": Caller(from_number(b"1%00" + GOOD), None, None),
    "number: ten kilobytes": Caller(from_number(b"3" * 10_240), None, None),
    "further headers": Caller(
        [
            *from_name(b"x"),
            b"P-Asserted-Identity: \"${SHELL(" + DO.encode() + b")}\" <sip:" + escaped("${SHELL(x)}`x`") + b"@x>",
            b"Remote-Party-ID: \"x'); --\" <sip:" + escaped("<script>") + b"@x>;party=calling;screen=yes",
            b"Diversion: <sip:" + escaped("${SHELL(x)}") + b"@x>;reason=unconditional",
            b"Subject: ${SHELL(" + DO.encode() + b")}",
            b"User-Agent: \x1b]0;owned\x07 ${SHELL(" + DO.encode() + b")}",
            b"X-PBXREC-CONSENT: given",
            b"Alert-Info: `" + DO.encode() + b"`",
        ],
    ),
}  # fmt: skip
LANES = {user: list(CALLERS)[place :: len(USERS)] for place, user in enumerate(USERS)}


@dataclass(frozen=True)
class Heard:
    """What came of a call: the final status, and what is known of it, None when no call was seen."""

    status: int
    call: CallDetail | None


def play(stage: Stage, user: str, name: str) -> Heard:
    began = now() - A_MOMENT
    with RawCall(server(stage), ddi_of(user).encode(), CALLERS[name].head) as call:
        status = call.invite()
        if status == 200:
            wait_for(lambda: decided_since(stage, user, began), f"a decision in the call of {name}", 15)
            call.talk(4.5)  # the announcement, and something to record
            call.hang_up()
    if status != 200:
        return Heard(status, None)
    return Heard(status, stage.settled(ddi_of(user)))


def decided_since(stage: Stage, user: str, began: datetime) -> bool:
    found = stage.call(ddi_of(user))
    return found is not None and found.call.began_at >= began and bool(found.decisions)


def server(stage: Stage) -> tuple[str, int]:
    return "127.0.0.1", stage.site.ports.sip


@pytest.fixture(scope="module")
def before(stage: Stage) -> dict[str, object]:
    """What must be as it was in the end."""
    return {"tables": tables(stage), "globals": variables(stage), "pids": pids(stage)}


@pytest.fixture(scope="module")
def calls(stage: Stage, before: dict[str, object]) -> dict[str, Heard]:
    for user in USERS:
        ready(stage, user)
    stage.world()
    stage.from_now()

    def lane(user: str) -> dict[str, Heard]:
        return {name: play(stage, user, name) for name in LANES[user]}

    found: dict[str, Heard] = {}
    with ThreadPoolExecutor(len(USERS)) as pool:
        for part in pool.map(lane, USERS):
            found |= part
    return found


def tables(stage: Stage) -> set[str]:
    with sqlite3.connect(str(stage.site.settings.database).removeprefix("sqlite:///")) as database:
        names = {name for (name,) in database.execute("select name from sqlite_schema")}
    database.close()
    return names


def variables(stage: Stage) -> set[str]:
    """The names of Asterisk's global variables."""
    shown = stage.site.asterisk.rx("dialplan show globals")
    return {line.partition("=")[0].strip() for line in shown.splitlines() if "=" in line}


def pids(stage: Stage) -> list[int]:
    site = stage.site
    return [site.asterisk.pid, site.recorder.pid, site.agi.pid, site.bridge.pid]


@pytest.mark.parametrize("name", CALLERS)
def test_the_call_is_judged_and_recorded_like_any_other_or_refused(calls: dict[str, Heard], name: str) -> None:
    heard, caller = calls[name], CALLERS[name]
    if heard.call is None:
        assert caller.answered is not True, heard.status
        assert heard.status == 0 or 400 <= heard.status < 700
        return
    call = heard.call
    assert [(one.verdict, one.rule) for one in call.decisions][-1:] == [("record", 10)]
    (recording,) = call.recordings
    assert (recording.state, recording.fail_reason) == ("stored", "")
    if caller.number is not None:
        assert call.call.caller_e164 == caller.number
    if caller.kept is not None:
        assert (call.call.caller_raw, call.call.caller_name) == caller.kept
        outside = [(leg.number_raw, leg.display_name) for leg in call.legs if not leg.user_id]
        assert outside == [caller.kept]


DIALLED = {
    "separators": "31299001&PJSIP/202",
    "options": "31299001@trunk,30,M(evil)",
    "dialplan": f"31${{SHELL({DO})}}",
    "expression": '31" = "31" & 1) ? 1 : 1',
    "braces": "31299001)}]?1:1",
    "lines": "31299001\r\nAction: Originate",
    "path": f"31/../../../tmp/{CANARY}",
}


@pytest.mark.parametrize("name", DIALLED)
def test_only_digits_are_dialled_outside(stage: Stage, before: dict[str, object], name: str) -> None:
    assert before
    others = [stage.world(), stage.phone("202")]
    rung = [sum(event.name == "incoming" for event in phone.journal.events()) for phone in others]
    host, port = server(stage)
    leg = stage.phone("203").dial(f"sip:{escaped(DIALLED[name]).decode()}@{host}:{port}")
    leg.wait_ended(10.0)
    assert [sum(event.name == "incoming" for event in phone.journal.events()) for phone in others] == rung
    assert not [event for event in leg.events if event.details.get("state") == "CONFIRMED"]


@pytest.mark.parametrize("name", ["separators", "dialplan", "path", "lines"])
def test_nothing_but_our_numbers_can_be_dialled_from_outside(
    stage: Stage, before: dict[str, object], name: str
) -> None:
    assert before
    for dialled in (escaped(DIALLED[name]), ddi_of("201").encode() + escaped(DIALLED[name][2:])):
        with RawCall(server(stage), dialled, from_number(GOOD)) as call:
            assert 400 <= call.invite() < 500


def test_a_hostile_caller_is_asked_for_consent_like_any_other(stage: Stage, before: dict[str, object]) -> None:
    assert before
    ready(stage, "231")
    began = now() - A_MOMENT
    head = [b'From: "${SHELL(' + DO.encode() + b')}" <sip:' + escaped(f"`{DO}`'); --\x1b[2J") + b"@127.0.0.2>;tag=x"]
    with RawCall(server(stage), ddi_of("701").encode(), head) as call:
        assert call.invite() == 200
        call.talk(2.5)
        call.key("1")

        def answered() -> bool:
            found = stage.call(ddi_of("701"))
            return found is not None and found.call.began_at >= began and bool(found.decisions)

        wait_for(answered, "231 to answer", 20)
        call.talk(2.0)
        call.hang_up()
    found = stage.settled(ddi_of("701"))
    assert [(one.verdict, one.rule) for one in found.decisions][-1:] == [("record", 9)]
    (evidence,) = found.consents
    assert (evidence.outcome, evidence.digits, evidence.caller_e164) == ("given", "1", "")
    assert evidence.caller_raw == found.call.caller_raw == f"`{DO}`')"
    assert found.call.caller_name == f"${{SHELL({DO})}}"
    assert [recording.state for recording in found.recordings] == ["stored"]


@pytest.mark.parametrize(
    "number",
    ["1\nagi_uniqueid: 1700000000.1\nagi_x: y", "1\n\n200 result=1 (x)\n200 result=1 (1700000000.1)\n200 result=1\n"],
    ids=["headers", "answers"],
)
def test_a_number_with_lines_in_it_says_nothing_in_asterisks_name(
    stage: Stage, before: dict[str, object], number: str
) -> None:
    assert before
    ready(stage, "231")
    began = now() - A_MOMENT
    with RawCall(server(stage), ddi_of("701").encode(), from_number(escaped(number))) as call:
        assert call.invite() == 200
        call.talk(2.5)
        call.key("1")

        def asked() -> bool:
            found = stage.call(ddi_of("701"))
            return found is not None and found.call.began_at >= began and bool(found.consents)

        wait_for(asked, "the caller to be asked", 20)
        call.hang_up()
    found = stage.settled(ddi_of("701"))
    (evidence,) = found.consents
    assert (evidence.outcome, evidence.digits, evidence.caller_raw) == ("given", "1", "")
    assert evidence.channel_id in {leg.channel_id for leg in found.legs}
    assert found.call.caller_raw == number


def said(stage: Stage, *words: str) -> str:
    """What a command says to a terminal."""
    out, config = io.StringIO(), os.environ.get(CONFIG_VARIABLE)
    try:
        with redirect_stdout(out), redirect_stderr(out):
            assert main(["--config", str(stage.site.config_path), *words]) == 0, out.getvalue()
    finally:
        structlog.reset_defaults()
        os.environ.pop(CONFIG_VARIABLE)
        if config is not None:
            os.environ[CONFIG_VARIABLE] = config
    return out.getvalue()


def test_whatever_shows_these_calls_shows_them_harmless(calls: dict[str, Heard], stage: Stage) -> None:
    commands = [["calls", "list"], ["recordings", "list"], ["gaps"]]
    for heard in calls.values():
        if heard.call is not None:
            commands += [["calls", "show", heard.call.call.call_id], ["explain", heard.call.call.call_id]]
            commands += [["recordings", "show", one.recording_id] for one in heard.call.recordings]
    assert len(commands) > 30
    for words in commands:
        shown = said(stage, *words)
        obeyed = {
            sign for sign in shown if sign != "\n" and unicodedata.category(sign) in ("Cc", "Cf", "Cs", "Zl", "Zp")
        }
        assert not obeyed, words
        plain = said(stage, *words, "--json")
        assert plain.isascii()
        assert isinstance(json.loads(plain), dict | list)


def test_files_are_named_by_us(calls: dict[str, Heard], stage: Stage) -> None:
    assert calls
    for place in stage.site.sound_folders:
        for path in place.rglob("*"):
            assert re.fullmatch(r"[A-Za-z0-9._+/-]+", str(path.relative_to(place))), path


def test_the_logs_are_lines_of_plain_json(calls: dict[str, Heard], stage: Stage) -> None:
    assert calls
    for service in (stage.site.recorder, stage.site.agi, stage.site.bridge):
        for line in service.log_path.read_bytes().splitlines():
            assert line.isascii()
            assert json.loads(line)["event"]


def test_nothing_of_it_was_done(calls: dict[str, Heard], stage: Stage, before: dict[str, object]) -> None:
    assert calls
    assert not Path("/tmp", CANARY).exists()
    assert not [path for path in stage.site.folder.rglob("*") if CANARY in path.name]
    assert {
        "tables": tables(stage),
        "globals": variables(stage),
        "pids": pids(stage),
    } == before
    assert CANARY not in stage.site.asterisk.rx("dialplan show")
    stage.assert_nothing_left()
