"""Webhooks: which addresses are told of which events, how what is sent is signed, and when it is tried again."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable, Sequence
from datetime import timedelta
from enum import StrEnum
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from urllib.parse import SplitResult, urlsplit

from pbx_plugin.services.directory import RefusedError

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


LONGEST_URL = 500
Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network


def chosen(words: Iterable[str]) -> tuple[Event, ...]:
    """Return the events that were typed. Raises RefusedError for unknown ones, and for none."""
    wanted = set(words)
    known = [event.value for event in Event]
    for word in sorted(wanted):
        if word not in known:
            raise RefusedError(f"no event {word!r}: one of {', '.join(known)}")
    if not wanted:
        raise RefusedError(f"a webhook needs at least one event: one of {', '.join(known)}")
    return tuple(event for event in Event if event in wanted)


def checked_url(text: str, own: Sequence[Network]) -> SplitResult:
    """Return the parts of an address that may be sent to: https, or http to an address in one of ``own`` networks.

    Raises RefusedError. What a name leads to is looked at each time before something is sent: :func:`may_reach`.
    """
    what = f"webhook {text[:LONGEST_URL]!r}"
    if len(text) > LONGEST_URL or not text.isascii() or any(sign <= " " or sign in '"<>\\^`{|}' for sign in text):
        raise RefusedError(f"{what} is not an address: at most {LONGEST_URL} visible ASCII characters, percent-encoded")
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError as error:
        raise RefusedError(f"{what} is not an address: {error}") from error
    if parts.scheme not in ("https", "http") or not parts.hostname or port == 0:
        raise RefusedError(f"{what} is not an address: write it as https://crm.example.com/calls")
    if parts.username is not None or parts.password is not None or parts.fragment:
        raise RefusedError(f"{what} holds a user, a password or a fragment: leave it out, deliveries are signed")
    literal = _literal(parts.hostname)
    if literal is not None and not may_reach(literal, own):
        raise RefusedError(f"{what} is an address inside the network: the setting webhooks.own_networks allows such")
    if parts.scheme == "http" and (literal is None or not _in(literal, own)):
        raise RefusedError(f"{what} is not encrypted: write https, or an address of the setting webhooks.own_networks")
    return parts


def may_reach(address: Address, own: Sequence[Network]) -> bool:
    """Tell whether something may be sent to an address: it is public, or in one of the networks that were allowed."""
    inner = getattr(address, "ipv4_mapped", None) or getattr(address, "sixtofour", None)
    if isinstance(inner, IPv4Address):
        return may_reach(inner, own)
    return (address.is_global and not address.is_multicast) or _in(address, own)


def _literal(host: str) -> Address | None:
    try:
        return ip_address(host)
    except ValueError:
        return None


def _in(address: Address, own: Sequence[Network]) -> bool:
    return any(address in network for network in own)
