"""Webhooks: which addresses are told of which events, how what is sent is signed, and when it is tried again."""

from __future__ import annotations

import hashlib
import hmac
from datetime import timedelta
from enum import StrEnum

SIGNATURE_HEADER = "Pbx-Plugin-Signature"
"""``t=<Unix seconds>,v1=<hex>``: HMAC-SHA256 by the webhook's secret over ``<t>.<body>``, body as it was sent."""


class Event(StrEnum):
    """What a webhook can be told of."""

    DECIDED = "decided"
    STORED = "stored"
    CONSENT = "consent"
    ALARM = "alarm"


class DeliveryState(StrEnum):
    """Where a delivery stands. A dead one is not tried again unless somebody asks for it."""

    WAITING = "waiting"
    DELIVERED = "delivered"
    DEAD = "dead"


FIRST_PAUSE, LONGEST_PAUSE = timedelta(seconds=5), timedelta(hours=6)
MOST_TRIES = 20
"""Tries before a delivery is dead: the last one is about two days after the first."""


def signature(secret: str, seconds: int, body: bytes) -> str:
    """Return the value of :data:`SIGNATURE_HEADER` for a body sent at that Unix time."""
    digest = hmac.new(secret.encode(), f"{seconds}.".encode() + body, hashlib.sha256).hexdigest()
    return f"t={seconds},v1={digest}"


def pause_before(tries: int) -> timedelta | None:
    """Return how long to wait after so many tries in vain, None when it was the last."""
    if tries >= MOST_TRIES:
        return None
    return min(FIRST_PAUSE * (1 << (tries - 1)), LONGEST_PAUSE)
