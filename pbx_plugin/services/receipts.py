"""Signed receipts of consent: issued by a site, verified anywhere by anybody, without the site.

Ed25519 gives the same signature for the same bytes, so that issuing twice what is the same is the same.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Protocol

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from pbx_plugin.domain import receipt as receipts
from pbx_plugin.domain.receipt import Receipt, Signature

KEY_BYTES = 32


class Signer(Protocol):
    """The site's key: signs, and says which key it is."""

    @property
    def public_key(self) -> bytes:
        """The public key's 32 bytes."""
        ...

    def sign(self, content: bytes) -> bytes:
        """Return the signature of the content."""
        ...


@dataclass(frozen=True, slots=True)
class Issued:
    """A version of a receipt. ``fresh`` tells that it is to be kept, because there was none that says the same."""

    version: int
    content: bytes
    key_id: str
    fresh: bool


class Finding(StrEnum):
    """What was found of a receipt, the graver the later. Only GENUINE is good."""

    GENUINE = "genuine"
    OTHER_AUDIO = "the audio is not of this receipt"
    FOREIGN_KEY = "signed by another key"
    ALTERED = "altered"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What verifying a receipt came to. ``told`` says it in words; ``audio`` names the recording of each file."""

    finding: Finding
    told: str
    fingerprint: str
    audio: Mapping[str, str]


def fingerprint_of(public_key: bytes) -> str:
    """Return a key's fingerprint: the SHA-256 of its 32 bytes, in hexadecimal digits."""
    return hashlib.sha256(public_key).hexdigest()


def key_id_of(public_key: bytes) -> str:
    """Return the name of a key: the first 16 digits of its fingerprint."""
    return fingerprint_of(public_key)[:16]


def issue(facts: Mapping[str, Any], before: bytes | None, signer: Signer, at: datetime) -> Issued:
    """Return the receipt that states these facts: the latest version, ``before``, when it does, else the next one.

    A version that was not signed by the key of today is not issued anew for that.
    """
    version, replaces = 1, ""
    if before is not None:
        known = receipts.read(before)
        if receipts.same_facts(known, facts):
            return Issued(known.version, before, known.signature.key_id, fresh=False)
        version, replaces = known.version + 1, hashlib.sha256(before).hexdigest()
    statement = receipts.versioned(facts, version, replaces, at)
    key = signer.public_key
    value = signer.sign(receipts.to_be_signed(statement)).hex()
    content = receipts.file_of(statement, Signature(key_id_of(key), key.hex(), value))
    return Issued(version, content, key_id_of(key), fresh=True)


def verify(
    receipt: Receipt,
    trusted: Sequence[bytes] = (),
    fingerprints: Iterable[str] = (),
    audio: Mapping[str, str] | None = None,
) -> Verdict:
    """Verify a receipt, and that the audio files (name to SHA-256) are recordings of it.

    ``trusted`` are the public keys and ``fingerprints`` those of keys that may have signed it. Without any the key
    inside the receipt is used: then the verdict says only that nothing was changed since somebody signed it, and the
    fingerprint is to be compared with the company's.
    """
    key = _bytes(receipt.signature.public_key)
    print_ = fingerprint_of(key)
    wanted = {fingerprint_of(one) for one in trusted} | {one.lower().replace(":", "") for one in fingerprints}
    if not receipt.as_written:
        told = "bytes of the file were changed: it is not written as receipts are"
        return Verdict(Finding.ALTERED, told, print_, {})
    if not _is_signed(receipt, key):
        told = "what it states, its key or its signature was changed after it was signed"
        return Verdict(Finding.ALTERED, told, print_, {})
    if receipt.signature.key_id != key_id_of(key):
        return Verdict(Finding.ALTERED, "the name of its key was changed", print_, {})
    if wanted and print_ not in wanted:
        told = f"it is signed by key {key_id_of(key)}, which is not the one that you gave"
        return Verdict(Finding.FOREIGN_KEY, told, print_, {})
    found = {name: receipt.recording_of(sha256) for name, sha256 in (audio or {}).items()}
    others = [name for name, recording in found.items() if not recording]
    if others:
        told = f"{', '.join(others)}: no recording of this receipt has this content"
        return Verdict(Finding.OTHER_AUDIO, told, print_, found)
    return Verdict(Finding.GENUINE, "nothing was changed since it was signed", print_, found)


def _is_signed(receipt: Receipt, key: bytes) -> bool:
    if len(key) != KEY_BYTES:
        return False
    try:
        Ed25519PublicKey.from_public_bytes(key).verify(_bytes(receipt.signature.value), receipt.signed)
    except (InvalidSignature, ValueError):
        return False
    return True


def _bytes(text: str) -> bytes:
    # Capital letters and blanks would mean the same, and no byte may be changed unseen.
    try:
        value = bytes.fromhex(text)
    except ValueError:
        return b""
    return value if value.hex() == text else b""
