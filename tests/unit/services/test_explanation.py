"""What is told of a call that the database does not know yet: all that the journals hold of it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

from pbx_plugin.domain.beeping import beep_heard
from pbx_plugin.domain.entries import CallBegan, ConsentTaken, LegMoved
from pbx_plugin.services.explanation import explain_untold

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
BEGAN = CallBegan("call-1", "acme", "1.1", NOON, 3, False, "incoming")
TAKEN = ConsentTaken(
    evidence_id="e1",
    tenant_id="acme",
    linkedid="1.1",
    channel_id="1.1",
    consent_number="800",
    caller_raw="31200118",
    caller_e164="+4531200118",
    asked_at=NOON,
    at=NOON,
    outcome="refused",
    digits="2",
    language="da",
    prompt="consent-n1",
    prompt_sha256="ab" * 32,
    text_version="1",
    keep_days=30,
    policy_version=3,
)


def test_the_caller_s_answer_is_told_also_while_the_database_is_away() -> None:
    told = explain_untold([TAKEN, BEGAN], "call-1", "acme", {})
    assert told is not None
    (consent,) = told["consents"]
    assert (consent["outcome"], consent["prompt_sha256"]) == ("refused", "ab" * 32)
    assert "tenant_id" not in consent


def test_another_call_s_or_company_s_answer_is_not_told() -> None:
    strangers = [replace(TAKEN, linkedid="2.2"), replace(TAKEN, tenant_id="another")]
    told = explain_untold([BEGAN, *strangers], "call-1", "acme", {})
    assert told is not None
    assert told["consents"] == []


def test_beeps_are_told_with_their_setting_and_which_tone_was_heard() -> None:
    heard = beep_heard("every 15 s on incoming calls", "1", "cd" * 32)
    # "heard" alone is what was written before the setting and the tone were.
    details = ("heard", heard, heard, "not heard: the channel was gone")
    steps = [LegMoved("call-1", "c", NOON, "beep", detail) for detail in details]
    told = explain_untold([BEGAN, *steps], "call-1", "acme", {})
    assert told is not None
    assert [step["prompt_sha256"] for step in told["announcements"]] == ["", "cd" * 32, "cd" * 32, ""]
    assert [step["text_version"] for step in told["announcements"]] == ["", "1", "1", ""]
    words = " ".join(told["words"])
    assert "The beep was played 3 times (every 15 s on incoming calls), each to one party." in words
    assert "It could not be played 1 times." in words
