"""Mailing a link to a recording: who gets it, what the mail says, and when the link is dead.

The token has 256 bits and is known to nobody but the recipient: the mail gets it as it is sent, the database keeps its
SHA-256. A dead link and one that never was are the same to whoever asks.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from enum import StrEnum
from typing import Protocol

from pbx_plugin.domain.access import Viewer
from pbx_plugin.domain.call_data import CallData, facts, harmless, link_words, moment
from pbx_plugin.domain.handing import Rules
from pbx_plugin.domain.notices import CODE_MARK
from pbx_plugin.services.audit import Desk
from pbx_plugin.services.directory import RefusedError
from pbx_plugin.services.handing import ForbiddenError, Recorded, why_no_link
from pbx_plugin.services.numbering import clean_words
from pbx_plugin.services.people import clean_email
from pbx_plugin.services.people_records import Mail

PATH = "/s/"
"""Where links lead; the token follows."""
LONGEST_SUBJECT = 120
ONE_TIME_HOLDS = timedelta(hours=1)
"""How long the one browser in which a one-time link was opened may go on."""
_TOKEN = re.compile(r"[A-Za-z0-9_-]{43}")


class OpeningKind(StrEnum):
    """What was done with a link."""

    PAGE = "page"
    SOUND = "sound"


@dataclass(frozen=True, slots=True)
class LinkWish:
    """A link that somebody wants to mail. ``hours`` None is what the company has set; an empty subject is ours."""

    recipient: str
    subject: str = ""
    hours: int | None = None
    one_time: bool = False


@dataclass(frozen=True, slots=True)
class Link:
    """A link that was mailed. Times are UTC; ``zone`` is the one in which mail and page tell them."""

    id: str
    tenant_id: str
    token_sha256: str
    recording_id: str
    recipient: str
    subject: str
    language: str
    zone: str
    made_at: datetime
    made_by: str
    account_id: str
    expires_at: datetime
    one_time: bool
    revoked_at: datetime | None = None
    revoked_by: str = ""
    opened_at: datetime | None = None
    claim_sha256: str = ""
    claim_until: datetime | None = None
    openings: int = 0

    def alive(self, at: datetime) -> bool:
        """Whether it opens anything at that time, for the one who opened it first or for anybody."""
        return self.revoked_at is None and at < self.expires_at

    @property
    def taken(self) -> bool:
        """Whether it is a one-time link that was opened already."""
        return self.one_time and self.opened_at is not None

    def opens_for(self, claim: str, at: datetime) -> bool:
        """Whether it plays at that time for the browser that shows this claim."""
        if not self.alive(at):
            return False
        if not self.one_time:
            return True
        return (
            bool(claim)
            and digest(claim) == self.claim_sha256
            and self.claim_until is not None
            and (at < self.claim_until)
        )


@dataclass(frozen=True, slots=True)
class Opening:
    """A link was opened (UTC), from which address, and what was done."""

    at: datetime
    address: str
    what: OpeningKind


class LinkStore(Protocol):
    """Links. Each call is a transaction of its own."""

    def add(self, desk: Desk, link: Link, mail: Mail, recorded: Recorded) -> None:
        """Keep a new link and put its mail into the outbox, both or neither. Audited."""
        ...

    def of_recording(self, tenant_id: str, recording_id: str) -> Sequence[Link]:
        """Return a recording's links, newest first."""
        ...

    def find(self, token_sha256: str) -> Link | None:
        """Return the link of a token, dead or alive."""
        ...

    def revoke(self, desk: Desk, link_id: str) -> Link:
        """Let a link open nothing from now on, and take back its mail. Audited. Raises RefusedError."""
        ...


def share(store: LinkStore, desk: Desk, viewer: Viewer, rules: Rules, recorded: Recorded, wish: LinkWish, url: str,
          zone: tzinfo, zone_name: str) -> Link:  # fmt: skip
    """Mail a link, and return it. ``url`` is the portal's own address without a slash at its end.

    ``desk.new_id`` must give ids that nobody can guess, for the token is made of them. Raises ForbiddenError,
    RefusedError.
    """
    why = why_no_link(viewer, rules, recorded)
    if why:
        raise ForbiddenError(why)
    if not recorded.playable:
        raise RefusedError(f"recording {recorded.recording_id} has no sound: it is {recorded.state}")
    recipient = clean_email(wish.recipient.strip())
    if not recipient:
        raise RefusedError("a recipient is wanted: write an e-mail address")
    words = link_words(viewer.language)
    subject = harmless(clean_words(wish.subject, "the subject", LONGEST_SUBJECT)) or words.subject
    hours = rules.link_hours if wish.hours is None else wish.hours
    if not 1 <= hours <= rules.link_hours_most:
        raise RefusedError(f"a link for {hours} hours: give 1 to {rules.link_hours_most}")
    token = fresh_token(desk)
    expires = desk.at + timedelta(hours=hours)
    if recorded.expires_at is not None:
        # Nothing outlives the recording; the mail must not promise that it does.
        expires = min(expires, recorded.expires_at)
    if expires <= desk.at:
        raise RefusedError(f"recording {recorded.recording_id} expires now: there is nothing to send")
    link = Link(
        id=desk.new_id(),
        tenant_id=desk.tenant.id,
        token_sha256=digest(token),
        recording_id=recorded.recording_id,
        recipient=recipient,
        subject=subject,
        language=viewer.language,
        zone=zone_name,
        made_at=desk.at,
        made_by=desk.actor,
        account_id=viewer.account_id,
        expires_at=expires,
        one_time=wish.one_time,
    )
    mail = Mail(
        id=desk.new_id(),
        tenant_id=desk.tenant.id,
        about=link.id,
        at=desk.at,
        address=recipient,
        subject=subject,
        body=_body(link, recorded, viewer.name, desk.tenant.name, url, zone),
        due_at=desk.at,
        secret=token,
    )
    store.add(desk, link, mail, recorded)
    return link


def call_data(recorded: Recorded, zone: tzinfo) -> CallData:
    """Return what mail and page tell of a recording."""
    return CallData(
        at=recorded.at.astimezone(zone),
        length=recorded.seconds(),
        user=recorded.user_name,
        extension=recorded.extension,
        direction=recorded.direction,
        other=recorded.other,
        dialled=recorded.dialled,
    )


def fresh_token(desk: Desk) -> str:
    """Return a new token. It is made of two ids with 122 random bits each."""
    raw = hashlib.sha256(f"{desk.new_id()} {desk.new_id()}".encode()).digest()
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def is_token(text: str) -> bool:
    """Whether this could be a token at all."""
    return _TOKEN.fullmatch(text) is not None


def digest(token: str) -> str:
    """Return what is kept of a token."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


def _body(link: Link, recorded: Recorded, name: str, company: str, url: str, zone: tzinfo) -> str:
    words = link_words(link.language)
    told = facts(call_data(recorded, zone), link.language)
    width = max(len(label) for label, _ in told)
    lines = [words.greeting.format(name=harmless(name), company=harmless(company)), ""]
    lines += [f"{label + ':':<{width + 1}} {value}" for label, value in told]
    # The mark is the body's last one: what a caller sent stands before it and cannot take its place.
    lines += [
        "",
        words.link,
        f"{url}{PATH}{CODE_MARK}",
        "",
        words.until.format(until=moment(link.expires_at.astimezone(zone))),
    ]
    lines += [words.once] if link.one_time else []
    return "\n".join([*lines, words.secret, ""])
