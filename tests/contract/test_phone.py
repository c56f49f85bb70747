"""Two real SIP phones call each other on loopback, without a PBX: what every live test rests on."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from pbx_plugin.sandbox.listening import assert_side, heard_anywhere, tones
from pbx_plugin.sandbox.phone import AutoAnswer, LegEndedError, Phone, PhoneDiedError, PhoneError, PhoneTimeoutError
from pbx_plugin.sandbox.phone_wire import MAX_CALLS
from pbx_plugin.sandbox.signals import voice, write_voice

ALFA, KILO, NOVEMBER = voice("alfa"), voice("kilo"), voice("november")
HOSTILE = 'a;b"<>${EXTEN},)\n\x00é'


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("phones")


@pytest.fixture(scope="module")
def anna(place: Path) -> Iterator[Phone]:
    signal_file = write_voice(place / "alfa.wav", ALFA)
    with Phone.start("anna", signal=signal_file, record_dir=place, display='Anna "A" B\\C') as phone:
        yield phone
        assert phone.faults() == []


@pytest.fixture(scope="module")
def bert(place: Path) -> Iterator[Phone]:
    signal_file = write_voice(place / "kilo.wav", KILO)
    with Phone.start("bert", address="127.0.0.2", signal=signal_file, record_dir=place) as phone:
        yield phone
        assert phone.faults() == []


@pytest.fixture(autouse=True)
def _a_test_that_fails_spoils_no_other(anna: Phone, bert: Phone) -> Iterator[None]:
    yield
    for phone in (anna, bert):
        phone.auto_off()
    for phone in (anna, bert):
        phone.hang_up_all()


@pytest.mark.wide
def test_two_phones_talk_and_each_hears_the_others_voice_alone(anna: Phone, bert: Phone) -> None:
    out = anna.dial(bert.uri, headers=[("X-Test", "one")])
    into = bert.wait_incoming()
    assert (into.caller, into.caller_name, into.called) == ("anna", 'Anna "A" B\\C', "bert")
    assert into.header("x-test") == "one"
    out.wait("EARLY")
    into.answer()
    out.wait("CONFIRMED")
    into.wait("CONFIRMED")
    out.still_up(1.6)
    assert out.rtp().sent > 50
    into.hangup()
    assert out.wait_ended().code == into.wait_ended().code == 200
    assert out.heard is not None
    assert into.heard is not None
    assert_side(out.heard, 0, KILO, 0.25, 1.5)
    assert_side(into.heard, 0, ALFA, 0.25, 1.5)
    assert heard_anywhere(out.heard, ALFA) == []


def test_keys_arrive_by_rfc4733_and_by_info(anna: Phone, bert: Phone) -> None:
    bert.auto_answer()
    out = anna.dial(f"sip:4242@{bert.address}")
    into = bert.wait_incoming()
    assert into.called == "4242", "a phone without registration takes calls to any user part"
    out.wait("CONFIRMED")
    out.dtmf("1*", duration_ms=80, gap_ms=60)
    assert {event["method"] for event in into.wait_digits("1*")} == {"rfc4733"}
    out.dtmf("4#", method="info", duration_ms=80, gap_ms=60)
    assert {event["method"] for event in into.wait_digits("4#")} == {"info"}
    with pytest.raises(PhoneError, match="digits are"):
        out.dtmf("1x")
    out.hangup()
    into.wait_ended()
    bert.auto_off()


@pytest.mark.wide
def test_hold_keeps_the_recordings_time_and_silence_echo_and_nothing_are_what_they_say(
    anna: Phone, bert: Phone
) -> None:
    bert.auto_answer()
    out = anna.dial(bert.uri)
    into = bert.wait_incoming()
    out.wait("CONFIRMED")
    out.still_up(0.6)
    out.hold()
    into.wait_media("remote_hold")
    out.still_up(0.8)
    out.unhold()
    out.send("echo")
    out.still_up(0.7)
    out.send("nothing")
    out.still_up(0.1)
    before = out.rtp().sent
    out.still_up(0.4)
    assert out.rtp().sent == before
    out.mute()
    out.still_up(0.3)
    assert out.rtp().sent > before
    out.hangup()
    into.wait_ended()
    out.wait_ended()
    bert.auto_off()
    assert out.heard is not None
    assert into.heard is not None
    heard = [sorted(v.name for v in w.voices) for w in tones(out.heard)]
    assert heard[1] == ["kilo"], heard
    assert heard[4] == [], "silence while on hold, at its place in time"
    assert heard[7] == ["kilo"], heard
    echoed = [sorted(v.name for v in w.voices) for w in tones(into.heard)]
    assert echoed[1] == ["alfa"], echoed
    assert ["kilo"] in echoed[6:9], "bert hears himself"
    assert echoed[-1] == [], "muted"


def test_a_busy_phone_refuses_and_a_caller_may_give_up(anna: Phone, bert: Phone) -> None:
    bert.auto_refuse(486)
    assert anna.dial(bert.uri).wait_ended().code == 486
    bert.wait_incoming().wait_ended()
    bert.auto_off()
    out = anna.dial(bert.uri)
    into = bert.wait_incoming()
    out.wait("EARLY")
    out.hangup()
    assert out.wait_ended().code == 487
    into.wait_ended()


def test_a_phone_says_so_when_it_has_no_room_for_another_call(anna: Phone, bert: Phone) -> None:
    legs = [anna.dial(bert.uri) for _ in range(MAX_CALLS)]
    for leg in legs:
        leg.wait("EARLY")
    with pytest.raises(PhoneError, match=f"room for {MAX_CALLS} calls"):
        anna.dial(bert.uri)
    for leg in legs:
        leg.hangup()
        leg.wait_ended()
        bert.wait_incoming().wait_ended()


@pytest.mark.wide
def test_a_phone_mixes_two_calls_and_each_call_may_have_a_signal_of_its_own(
    anna: Phone, bert: Phone, place: Path
) -> None:
    bert.auto_answer()
    one = anna.dial(bert.uri)
    at_one = bert.wait_incoming()
    other = anna.dial(bert.uri, signal=write_voice(place / "november.wav", NOVEMBER))
    at_other = bert.wait_incoming()
    for leg in (one, other):
        leg.wait("CONFIRMED")
    at_one.mute()
    at_other.send("echo")
    one.still_up(0.6)
    one.mix(other)
    one.still_up(1.5)
    other.hangup()
    at_other.wait_ended()
    one.still_up(0.4)
    one.hangup()
    at_one.wait_ended()
    bert.auto_off()
    assert at_one.heard is not None
    heard = [sorted(v.name for v in w.voices) for w in tones(at_one.heard)]
    assert heard[1] == ["alfa"], heard
    assert heard[5] == ["alfa", "november"], "the echo of the other call's own signal"
    assert heard[-1] == ["alfa"], heard


def test_any_string_may_call(anna: Phone, bert: Phone) -> None:
    bert.auto_refuse()
    anna.dial(bert.uri, caller=HOSTILE, display="Æ, <sip:x@y>; x=1")
    into = bert.wait_incoming()
    assert into.caller == HOSTILE
    assert into.caller_name == "Æ, <sip:x@y>; x=1"
    with pytest.raises(PhoneError, match="control characters"):
        anna.dial(bert.uri, display="two\r\nlines")
    with pytest.raises(PhoneError, match="not a SIP header"):
        anna.dial(bert.uri, headers=[("X-A", "b\r\nX-C: d")])
    into.wait_ended()
    bert.auto_off()


def test_a_wait_that_is_over_tells_what_was_seen(anna: Phone, bert: Phone) -> None:
    out = anna.dial(bert.uri)
    into = bert.wait_incoming()
    with pytest.raises(PhoneTimeoutError) as late:
        out.wait("CONFIRMED", timeout=0.2)
    for part in ("phone anna", "waited 0.2 s for CONFIRMED", f"call {out.number}", "Ringing"):
        assert part in str(late.value)
    into.answer(603)
    with pytest.raises(LegEndedError, match=r"(?s)the call ended.*603"):
        out.wait("CONFIRMED", timeout=5)
    with pytest.raises(PhoneTimeoutError, match="an incoming call"):
        anna.wait_incoming(timeout=0.05)


def test_a_consultation_becomes_a_call_of_the_two_others(anna: Phone, bert: Phone, place: Path) -> None:
    lima = voice("lima")
    with Phone.start(
        "carl",
        address="127.0.0.3",
        signal=write_voice(place / "lima.wav", lima),
        record_dir=place,
        auto_answer=AutoAnswer(200, after_ms=20),
    ) as carl:
        first = anna.dial(bert.uri)
        kept = bert.wait_incoming()
        kept.answer()
        first.wait("CONFIRMED")
        first.hold()
        second = anna.dial(carl.uri)
        second.wait("CONFIRMED")
        carl.wait_incoming()
        first.transfer_to(second)
        assert first.wait_transferred()["code"] == 200
        first.wait_ended()
        second.wait_ended()
        joined = carl.wait_incoming()
        assert joined.caller == "bert"
        joined.still_up(0.9)
        joined.hangup()
        joined.wait_ended()
        kept.wait_ended()
        assert joined.heard is not None
        assert_side(joined.heard, 0, KILO, 0.25, 0.75)


def test_a_phone_never_outlives_its_driver() -> None:
    phone = Phone.start("dora")
    os.kill(phone.pid, signal.SIGKILL)
    with pytest.raises(PhoneDiedError, match="phone dora"):
        phone.wait_incoming(timeout=5)
    phone.close()
    with pytest.raises(PhoneError, match="no codec"):
        Phone.start("emil", codecs=["OPUS"])
    with pytest.raises(ValueError, match="loopback"):
        Phone.start("fritz", address="0.0.0.0")
    orphan = Phone.start("gina")
    began = time.monotonic()
    assert orphan._process.stdin is not None
    orphan._process.stdin.close()
    assert orphan._process.wait(timeout=3) == 0
    assert time.monotonic() - began < 2
    orphan.close()
