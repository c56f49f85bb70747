"""One-time codes by time (TOTP, RFC 6238) and the recovery codes that take their place."""

from __future__ import annotations

import base64
import hmac
import re
from collections.abc import Callable
from datetime import datetime

import pyotp

from pbx_plugin.services.account_records import token_digest

STEP_S = 30
DIGITS = 6
DRIFT_STEPS = 1
"""How many steps a phone's clock may be off, either way."""

RECOVERY_CODES = 10
_SECRET_BYTES = 20
_RECOVERY_BYTES = 10
_CODE = re.compile(rf"[0-9]{{{DIGITS}}}")


def fresh_secret(random: Callable[[int], bytes]) -> str:
    """Return a secret of 160 random bits in base32, as RFC 4226 asks for."""
    return base64.b32encode(random(_SECRET_BYTES)).decode()


def address(secret: str, *, email: str, company: str) -> str:
    """Return the ``otpauth://`` address of a secret, for a QR code."""
    return pyotp.TOTP(secret, digits=DIGITS, interval=STEP_S).provisioning_uri(name=email, issuer_name=company)


def code_at(secret: str, at: datetime) -> str:
    """Return the code that a phone shows at that time."""
    return pyotp.TOTP(secret, digits=DIGITS, interval=STEP_S).at(int(at.timestamp()))


def is_code(text: str) -> bool:
    """Whether this looks like a code by time, and not like a recovery code."""
    return _CODE.fullmatch(_bare(text)) is not None


def matching_step(secret: str, text: str, at: datetime, *, after: int) -> int | None:
    """Return the time step whose code this is, within the drift and later than ``after``; None when there is none."""
    code, now = _bare(text), int(at.timestamp()) // STEP_S
    found = None
    for step in range(now - DRIFT_STEPS, now + DRIFT_STEPS + 1):
        right = pyotp.TOTP(secret, digits=DIGITS, interval=STEP_S).at(step * STEP_S)
        if hmac.compare_digest(right.encode(), code.encode()) and step > after:
            found = step
    return found


def fresh_recovery_codes(random: Callable[[int], bytes]) -> tuple[str, ...]:
    """Return recovery codes of 80 random bits each, to be shown once."""
    plain = (base64.b32encode(random(_RECOVERY_BYTES)).decode().lower() for _ in range(RECOVERY_CODES))
    return tuple("-".join(code[first : first + 4] for first in range(0, len(code), 4)) for code in plain)


def recovery_digest(text: str) -> str:
    """Return what is kept of a recovery code, however it was typed."""
    return token_digest(f"recovery {_bare(text)}")


def _bare(text: str) -> str:
    # Only ASCII: other writings' digits are no digits of a code.
    return "".join(sign for sign in text[:100].lower() if sign.isascii() and sign.isalnum())
