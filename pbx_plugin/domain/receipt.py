"""Receipts of consent: what is stated, the one way in which it is written as bytes, and how it is read again.

A receipt is JSON with three members: ``format``, ``statement`` and ``signature``. What is signed are the canonical
bytes of ``format`` and ``statement`` together. A receipt's file is the canonical form of the whole and a line end, so
that there is no byte in it which could be changed unseen.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from pbx_plugin.domain.entries import ConsentTaken

FORMAT = "pbx-plugin consent receipt, 1"
ALGORITHM = "Ed25519"
LARGEST = 4_000_000
"""Bytes of a receipt's file; a longer one is none."""

STORED = "stored"
FROM_CALL = "the call's own record: a number with control characters is kept from the dialplan, which asked"
"""What a receipt says of a caller's number that the evidence could not have."""
UNFINISHED = ("starting", "recording", "closed")

_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_WORDS = ("company", "evidence", "outcome", "keys", "asked_at", "answered_at", "withdrawn_at", "number", "issued_at")


class NotAReceiptError(Exception):
    """The file is no receipt of ours at all; says why."""


@dataclass(frozen=True, slots=True)
class Recorded:
    """A recording that rests on the consent. ``state`` is its media's; the rest counts once that is *stored*."""

    recording_id: str
    state: str
    began_at: datetime
    sha256: str = ""
    size: int = 0
    length_ms: int = 0


@dataclass(frozen=True, slots=True)
class Signature:
    """What a receipt says of its own signature, all in hexadecimal digits. Nothing of it is believed unverified."""

    key_id: str
    public_key: str
    value: str


@dataclass(frozen=True, slots=True)
class Receipt:
    """A receipt as it was read. ``as_written`` tells whether every byte of the file is the canonical one."""

    statement: Mapping[str, Any]
    signature: Signature
    signed: bytes
    as_written: bool

    @property
    def version(self) -> int:
        """Return the version, from 1."""
        return int(self.statement["version"])

    def recording_of(self, sha256: str) -> str:
        """Return the id of the recording with this hash, empty when the receipt speaks of none such."""
        found = (one["id"] for one in self.statement["recordings"] if one.get("sha256") == sha256)
        return next(found, "")


def stated(
    company: str,
    evidence: ConsentTaken,
    recordings: Iterable[Recorded],
    *,
    call_id: str = "",
    call_ended_at: datetime | None = None,
    withdrawn_at: datetime | None = None,
    call_received: str = "",
) -> dict[str, Any]:
    """Return what a receipt states, without its version: the same facts give the same value.

    ``call_received`` is the number of the channel that was asked, as Asterisk had it before any dialplan: where the
    evidence has none because it held control characters, it is stated with where it is from, and as nobody's E.164.
    ``call_ended_at`` is None while more recordings may come. Recordings that are not complete yet are named under
    ``pending``, those that are no more (or never were) under ``not_kept`` with their state; only of complete ones is
    the hash stated.
    """
    listed = sorted(recordings, key=lambda one: (one.began_at, one.recording_id))
    stored = [one for one in listed if one.state == STORED and one.sha256]
    return {
        "company": company,
        "call": {"id": call_id, "ended_at": moment(call_ended_at) if call_ended_at else ""},
        "withdrawn_at": moment(withdrawn_at) if withdrawn_at else "",
        "evidence": evidence.evidence_id,
        "outcome": evidence.outcome,
        "keys": evidence.digits,
        "asked_at": moment(evidence.asked_at),
        "answered_at": moment(evidence.at),
        "caller": _caller(evidence, call_received),
        "number": evidence.consent_number,
        "channel": evidence.channel_id,
        "linkedid": evidence.linkedid,
        "heard": {
            "language": evidence.language,
            "prompt": evidence.prompt,
            "prompt_sha256": evidence.prompt_sha256,
            "text_version": evidence.text_version,
            "keep_days": evidence.keep_days,
        },
        "policy_version": evidence.policy_version,
        "recordings": [
            {
                "id": one.recording_id,
                "began_at": moment(one.began_at),
                "sha256": one.sha256,
                "size": one.size,
                "length_ms": one.length_ms,
            }
            for one in stored
        ],
        "pending": [one.recording_id for one in listed if one.state in UNFINISHED],
        "not_kept": {
            one.recording_id: one.state for one in listed if one not in stored and one.state not in UNFINISHED
        },
    }


def same_facts(receipt: Receipt, facts: Mapping[str, Any]) -> bool:
    """Tell whether a receipt states just these facts, so that there is nothing to issue anew."""
    added = ("version", "replaces", "issued_at")
    return {key: value for key, value in receipt.statement.items() if key not in added} == facts


def versioned(facts: Mapping[str, Any], version: int, replaces: str, at: datetime) -> dict[str, Any]:
    """Return the statement of a version; ``replaces`` is the SHA-256 of the file of the version before, or empty."""
    return {**facts, "version": version, "replaces": replaces, "issued_at": moment(at)}


def to_be_signed(statement: Mapping[str, Any]) -> bytes:
    """Return the bytes that the signature is of."""
    return canonical({"format": FORMAT, "statement": statement})


def file_of(statement: Mapping[str, Any], signature: Signature) -> bytes:
    """Return the receipt's file."""
    told = {
        "algorithm": ALGORITHM,
        "key_id": signature.key_id,
        "public_key": signature.public_key,
        "value": signature.value,
    }
    return canonical({"format": FORMAT, "statement": statement, "signature": told}) + b"\n"


def read(content: bytes) -> Receipt:
    """Read a receipt's file. Raises NotAReceiptError; the signature is not looked at."""
    if len(content) > LARGEST:
        raise NotAReceiptError("it is too large for a receipt")
    try:
        data = json.loads(content.decode("utf-8"), object_pairs_hook=_once, parse_constant=_no_number)
        if data["format"] != FORMAT:
            raise NotAReceiptError(f"its format is not {FORMAT!r}")
        statement, told = data["statement"], data["signature"]
        signature = Signature(*(str(told[key]) for key in ("key_id", "public_key", "value")))
        signed = to_be_signed(statement)
        receipt = Receipt(statement, signature, signed, content == file_of(statement, signature))
        _look_through(receipt)
    except NotAReceiptError:
        raise
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise NotAReceiptError("it is not the JSON of a receipt") from error
    return receipt


def canonical(value: Any) -> bytes:
    """Return JSON as bytes in the one way: UTF-8, keys in order, no blanks, no floating point numbers.

    Raises ValueError for what cannot be written so.
    """
    text = json.dumps(_plain(value), ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return text.encode("utf-8")


def _caller(evidence: ConsentTaken, call_received: str) -> dict[str, str]:
    if not evidence.caller_raw and _CONTROL.search(call_received):
        return {"received": call_received, "e164": "", "from": FROM_CALL}
    return {"received": evidence.caller_raw, "e164": evidence.caller_e164}


def moment(at: datetime) -> str:
    """Return an instant as it stands in receipts: UTC with microseconds."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _look_through(receipt: Receipt) -> None:
    """Make sure of the kind of all that is used later: whoever signs a receipt may write into it what they like."""
    said = receipt.statement
    version = said["version"]
    if type(version) is not int or version < 1:
        raise NotAReceiptError("its version is not 1 or more")
    words = [said[key] for key in _WORDS]
    words += [said["caller"][key] for key in ("received", "e164")]
    words += [said["heard"][key] for key in ("language", "prompt", "prompt_sha256", "text_version")]
    words += [one[key] for one in said["recordings"] for key in ("id", "began_at", "sha256")]
    words += [*said["pending"], *said["not_kept"].values()]
    numbers = [said["policy_version"], said["heard"]["keep_days"]]
    numbers += [one[key] for one in said["recordings"] for key in ("size", "length_ms")]
    if not isinstance(said["pending"], list) or not isinstance(said["recordings"], list):
        raise NotAReceiptError("what it lists is no list")
    if not all(isinstance(word, str) for word in words) or any(type(number) is not int for number in numbers):
        raise NotAReceiptError("something in it is of another kind than receipts have")


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        # What a name said first and what it says last would be two readings of one receipt.
        raise NotAReceiptError("a name stands twice in it")
    return found


def _no_number(word: str) -> Any:
    raise NotAReceiptError(f"{word} is no number")


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, float):
        raise ValueError("a receipt has whole numbers only")
    return value
