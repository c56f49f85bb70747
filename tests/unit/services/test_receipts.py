"""Receipts of consent: what was changed, swapped or signed by somebody else is named."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from pbx_plugin.domain.entries import ConsentTaken
from pbx_plugin.domain.receipt import (
    FROM_CALL,
    NotAReceiptError,
    Recorded,
    Signature,
    canonical,
    file_of,
    read,
    stated,
    to_be_signed,
    versioned,
)
from pbx_plugin.services.receipts import Finding, fingerprint_of, issue, key_id_of, verify

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
EVIDENCE = ConsentTaken(
    evidence_id="evidence-1",
    tenant_id="t1",
    linkedid="1.1",
    channel_id="1.7",
    consent_number="800",
    caller_raw='"Zoë" <31200118>',
    caller_e164="+4531200118",
    asked_at=NOON,
    at=NOON + timedelta(seconds=9),
    outcome="given",
    digits="71",
    language="da",
    prompt="consent-n1",
    prompt_sha256="ab" * 32,
    text_version="2026-1",
    keep_days=30,
    policy_version=12,
)
AUDIO = hashlib.sha256(b"both sides").hexdigest()
DONE = Recorded("r1", "stored", NOON + timedelta(seconds=20), AUDIO, 1000, 5000)
RUNNING = replace(DONE, recording_id="r2", state="recording", sha256="", size=0, length_ms=0)


class Key:
    """A site's key that a test can have again."""

    def __init__(self, seed: int = 1) -> None:
        self._key = Ed25519PrivateKey.from_private_bytes(bytes([seed]) * 32)

    @property
    def public_key(self) -> bytes:
        raw = serialization.Encoding.Raw, serialization.PublicFormat.Raw
        return self._key.public_key().public_bytes(*raw)

    def sign(self, content: bytes) -> bytes:
        return self._key.sign(content)


OURS, THEIRS = Key(1), Key(2)


def facts(*recordings: Recorded, evidence: ConsentTaken = EVIDENCE) -> dict[str, Any]:
    return stated("Acme & Søn", evidence, recordings, call_id="c1", call_ended_at=NOON + timedelta(minutes=3))


def receipt(*recordings: Recorded, key: Key = OURS) -> bytes:
    return issue(facts(*(recordings or (DONE,))), None, key, NOON).content


def test_a_receipt_says_what_the_caller_heard_and_pressed_and_what_was_recorded() -> None:
    said = read(receipt(DONE, RUNNING)).statement

    assert (said["outcome"], said["keys"]) == ("given", "71")
    assert said["caller"] == {"received": '"Zoë" <31200118>', "e164": "+4531200118"}
    assert said["answered_at"] == "2026-03-02T12:00:09.000000Z"
    assert said["heard"] == {
        "language": "da", "prompt": "consent-n1", "prompt_sha256": "ab" * 32, "text_version": "2026-1", "keep_days": 30,
    }  # fmt: skip
    assert [(one["id"], one["sha256"]) for one in said["recordings"]] == [("r1", AUDIO)]
    assert said["pending"] == ["r2"]


@pytest.mark.parametrize("number", ["+45\r\nBcc: x", "\0", "a\x1b[2J", "\x7f"])
def test_a_number_that_was_kept_from_the_dialplan_is_told_as_the_call_has_it(number: str) -> None:
    empty = replace(EVIDENCE, caller_raw="", caller_e164="")
    stating = stated("Acme", empty, (), call_id="c1", call_received=number)
    said = read(issue(stating, None, OURS, NOON).content).statement
    assert said["caller"] == {"received": number, "e164": "", "from": FROM_CALL}
    assert verify(read(issue(stating, None, OURS, NOON).content)).finding is Finding.GENUINE


def test_a_hidden_caller_stays_hidden_and_a_known_one_is_who_was_asked() -> None:
    empty = replace(EVIDENCE, caller_raw="", caller_e164="")
    for harmless in ("", "31200118", "anonymous"):
        assert stated("Acme", empty, (), call_received=harmless)["caller"] == {"received": "", "e164": ""}
    assert stated("Acme", EVIDENCE, (), call_received="a\nb") == stated("Acme", EVIDENCE, ())


def test_a_genuine_receipt_is_genuine_with_its_own_key_a_given_one_and_a_fingerprint() -> None:
    found = read(receipt())
    assert verify(found).finding is Finding.GENUINE
    assert verify(found, [THEIRS.public_key, OURS.public_key]).finding is Finding.GENUINE
    spelled = ":".join(fingerprint_of(OURS.public_key)[at : at + 2] for at in range(0, 64, 2)).upper()
    assert verify(found, fingerprints=[spelled]).finding is Finding.GENUINE


def test_the_audio_of_a_recording_is_known_and_any_other_is_named() -> None:
    found = read(receipt())
    assert verify(found, audio={"a.wav": AUDIO}).audio == {"a.wav": "r1"}
    swapped = verify(found, audio={"a.wav": AUDIO, "b.wav": "cd" * 32})
    assert swapped.finding is Finding.OTHER_AUDIO
    assert swapped.told.startswith("b.wav")
    # What is only pending has no hash yet, hence no audio.
    assert verify(read(receipt(RUNNING)), audio={"a.wav": ""}).finding is Finding.OTHER_AUDIO


def test_a_receipt_of_somebody_else_s_key_is_named_and_not_called_altered() -> None:
    foreign = read(receipt(key=THEIRS))
    assert verify(foreign).finding is Finding.GENUINE
    assert verify(foreign, [OURS.public_key]).finding is Finding.FOREIGN_KEY
    assert key_id_of(THEIRS.public_key) in verify(foreign, [OURS.public_key]).told
    assert verify(foreign, fingerprints=["00"]).finding is Finding.FOREIGN_KEY


GENUINE = receipt()


@given(st.integers(0, len(GENUINE) - 1), st.integers(1, 255))
def test_no_byte_of_a_receipt_can_be_changed_unseen(at: int, by: int) -> None:
    changed = bytearray(GENUINE)
    changed[at] ^= by
    try:
        found = read(bytes(changed))
    except NotAReceiptError:
        return
    assert verify(found).finding is Finding.ALTERED


@pytest.mark.parametrize("change", [
    lambda text: text + "\n",
    lambda text: text.replace(',"signature"', ', "signature"', 1),
    lambda text: json.dumps(json.loads(text), indent=1),
    lambda text: text.replace('"keys":"71"', '"keys":"72"'),
    lambda text: text.replace('"pending":[]', '"pending":["x"]'),
    lambda text: text.replace(OURS.public_key.hex(), THEIRS.public_key.hex()),
    lambda text: text.replace(key_id_of(OURS.public_key), key_id_of(THEIRS.public_key)),
    lambda text: text.replace(OURS.public_key.hex(), OURS.public_key.hex().upper()),
    lambda text: text.replace('"algorithm":"Ed25519"', '"algorithm":"none"'),
])  # fmt: skip
def test_a_changed_receipt_is_altered_whatever_was_changed(change: Any) -> None:
    changed = change(GENUINE.decode())
    assert changed != GENUINE.decode()
    assert verify(read(changed.encode()), [OURS.public_key]).finding is Finding.ALTERED


@pytest.mark.parametrize("content", [
    b"", b"[]", b"null", b"{}", b'{"format": "x"}', b"\xff\xfe", b"[" * 100_000, GENUINE[:-20],
    GENUINE.replace(b'"version":1', b'"version":0'),
    GENUINE.replace(b'"version":1', b'"version":1.0'),
    GENUINE.replace(b'"version":1', b'"version":NaN'),
    GENUINE.replace(b'"keys":"71"', b'"keys":"2","keys":"71"'),
    GENUINE.replace(b'"recordings":[', b'"recordings":[7,'),
    GENUINE.replace(b"Acme", b"\\ud800"),
    b" " * 5_000_000,
], ids=lambda content: repr(content[:20]))  # fmt: skip
def test_what_is_no_receipt_is_refused_as_such(content: bytes) -> None:
    with pytest.raises(NotAReceiptError):
        read(content)


@given(st.binary(max_size=200))
def test_garbage_is_never_a_receipt(content: bytes) -> None:
    with pytest.raises(NotAReceiptError):
        read(content)


@pytest.mark.parametrize(
    ("change", "value"),
    [
        ("caller", "nobody"),
        ("caller", {"e164": 7, "received": ""}),
        ("heard", []),
        ("recordings", [{"id": "r1"}]),
        ("recordings", {"id": "r1"}),
        ("recordings", [{"id": {}, "sha256": "", "began_at": "", "size": 0, "length_ms": 0}]),
        ("pending", "r1"),
        ("pending", [["r1"]]),
        ("not_kept", {"r1": 7}),
        ("version", True),
        ("version", "1"),
        ("policy_version", "12"),
        ("outcome", None),
        ("company", ["Acme"]),
        ("withdrawn_at", {}),
    ],
)
def test_what_somebody_signed_with_their_own_key_is_no_receipt_unless_it_has_its_shape(
    change: str, value: object
) -> None:
    statement = {**versioned(stated("Acme", EVIDENCE, [DONE, RUNNING]), 1, "", NOON), change: value}
    key = Key()
    public, signed = key.public_key, key.sign(to_be_signed(statement))
    content = file_of(statement, Signature(key_id_of(public), public.hex(), signed.hex()))
    with pytest.raises(NotAReceiptError):
        read(content)


def test_issuing_again_what_is_the_same_gives_the_same_file() -> None:
    first = issue(facts(DONE), None, OURS, NOON)
    again = issue(facts(DONE), first.content, THEIRS, NOON + timedelta(days=9))
    assert first.fresh
    assert (again.content, again.fresh, again.key_id) == (first.content, False, key_id_of(OURS.public_key))


def test_when_a_recording_is_complete_the_next_version_names_the_one_before() -> None:
    first = issue(facts(RUNNING), None, OURS, NOON)
    second = issue(facts(replace(RUNNING, state="stored", sha256=AUDIO)), first.content, OURS, NOON)

    said = read(second.content)
    assert (second.version, second.fresh, said.version) == (2, True, 2)
    assert said.statement["replaces"] == hashlib.sha256(first.content).hexdigest()
    assert said.statement["pending"] == []
    assert verify(said, [OURS.public_key], audio={"a": AUDIO}).finding is Finding.GENUINE


def test_a_refusal_has_a_receipt_without_recordings() -> None:
    refused = facts(evidence=replace(EVIDENCE, outcome="refused", digits="2"))
    said = read(issue(refused, None, OURS, NOON).content).statement
    assert (said["outcome"], said["recordings"], said["pending"]) == ("refused", [], [])


def test_what_is_erased_or_failed_is_named_and_has_no_hash() -> None:
    said = facts(replace(DONE, state="erased"), replace(RUNNING, state="failed"))
    assert said["not_kept"] == {"r1": "erased", "r2": "failed"}
    assert AUDIO not in repr(said)


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(), lambda inner:
    st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4)))  # fmt: skip
def test_the_canonical_form_is_one_whatever_the_order(value: Any) -> None:
    try:
        written = canonical(value)
    except UnicodeEncodeError:
        return
    assert json.loads(written) == value
    assert canonical(json.loads(written)) == written
