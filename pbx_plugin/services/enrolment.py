"""Telling users that they are recorded, and keeping their acknowledgement.

Every enrolment, and every change of an enrolled user's mode, is told anew: the notice is kept word for word with its
digest, and mailed where the user has an address. A notice never changes; only its acknowledgement is added, once.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from enum import StrEnum

from pbx_plugin.domain.notices import VERSION, notice_text
from pbx_plugin.services import numbering
from pbx_plugin.services.audit import Desk
from pbx_plugin.services.directory import Person, RefusedError
from pbx_plugin.services.people_records import Mail, Notice

CODE_HOLDS = timedelta(days=30)
LONGEST_HOW = 200
_CODE_LENGTH = 24


class Told(StrEnum):
    """How far telling a user has come."""

    NOT_ENROLLED = "not enrolled"
    NOT_TOLD = "not told"
    WAITING = "waiting"
    ACKNOWLEDGED = "acknowledged"


@dataclass(frozen=True, slots=True)
class Standing:
    """How far telling a user has come, and their last notice, if any."""

    told: Told
    notice: Notice | None = None


def standing(person: Person, notices: Mapping[str, Notice]) -> Standing:
    """Return how far telling this user has come; ``notices`` are the last ones, by user."""
    notice = notices.get(person.id)
    if not person.enrolled:
        return Standing(Told.NOT_ENROLLED, notice)
    if notice is None:
        return Standing(Told.NOT_TOLD)
    return Standing(Told.ACKNOWLEDGED if notice.acknowledged_at else Told.WAITING, notice)


def is_news(before: Person, after: Person) -> bool:
    """Whether a change must be told to the user: they are enrolled now, or their mode is another."""
    return after.enrolled and (not before.enrolled or after.mode is not before.mode)


def tell(desk: Desk, people: Sequence[Person]) -> Sequence[Notice]:
    """Write a fresh notice to each of these enrolled users, and a mail where there is an address.

    An earlier mail that was not sent yet is taken back. ``desk.new_id`` must give ids that nobody can guess, for the
    one-time code is made of them; only its digest is kept, and the code itself until the mail is sent.
    """
    if not people:
        return ()
    desk.directory.cancel_mails(desk.tenant.id, [person.id for person in people], desk.at)
    notices, mails = [], []
    for person in people:
        words = notice_text(person.language, name=person.name, company=desk.tenant.name, mode=person.mode)
        code = _fresh_code(desk)
        notice = Notice(
            id=desk.new_id(),
            tenant_id=desk.tenant.id,
            person_id=person.id,
            at=desk.at,
            author=desk.actor,
            mode=person.mode,
            language=words.language,
            text_version=VERSION,
            text=words.text,
            text_sha256=words.sha256,
            code_sha256=_digest(code) if person.email else None,
            code_until=desk.at + CODE_HOLDS if person.email else None,
        )
        notices.append(notice)
        if person.email:
            mails.append(
                Mail(
                    id=desk.new_id(),
                    tenant_id=desk.tenant.id,
                    about=person.id,
                    at=desk.at,
                    address=person.email,
                    subject=words.subject,
                    body=words.body,
                    due_at=desk.at,
                    secret=code,
                )
            )
    desk.directory.add_notices(notices)
    desk.directory.add_mails(mails)
    mailed = {mail.about for mail in mails}
    desk.note_all(
        (
            "user notified",
            notice.person_id,
            {
                "notice": notice.id,
                "text_version": VERSION,
                "language": notice.language,
                "text_sha256": notice.text_sha256,
                "mode": notice.mode.value,
                "mailed": notice.person_id in mailed,
            },
        )
        for notice in notices
    )
    return notices


def take_back(desk: Desk, people: Sequence[Person]) -> None:
    """Take back what was not mailed yet to users who are not enrolled any more."""
    if people:
        desk.directory.cancel_mails(desk.tenant.id, [person.id for person in people], desk.at)


def acknowledge(desk: Desk, person: Person, how: str) -> Notice:
    """Keep that a user acknowledged their last notice, as somebody (the desk's actor) says: on paper, by telephone.

    Doing it again changes nothing. Raises RefusedError when there is nothing to acknowledge, or for a ``how`` that is
    empty or endless.
    """
    how = how.strip()
    if not how:
        raise RefusedError(f"say how it was acknowledged, in 1 to {LONGEST_HOW} characters, as 'signed on paper'")
    numbering.clean_words(how, "how it was acknowledged", LONGEST_HOW)
    last = desk.directory.latest_notices(desk.tenant.id).get(person.id)
    if last is None or not person.enrolled:
        raise RefusedError(
            f"user {person.extension} has no notice to acknowledge: enrol them, or run "
            f"'pbx-plugin users notify {person.extension}'"
        )
    return _acknowledged(desk, last, by=desk.actor, how=how)


def acknowledge_by_code(desk: Desk, code: str) -> Notice:
    """Keep that the user who was mailed this one-time code acknowledged the notice that came with it.

    Raises RefusedError when the code is unknown, used, too old, or of a notice that was followed by another.
    """
    notice = desk.directory.notice_of_code(desk.tenant.id, _digest(_bare(code)))
    if notice is None:
        raise RefusedError("this code (not shown) is unknown or was used already: see 'pbx-plugin users list'")
    if notice.code_until is None or notice.code_until <= desk.at:
        raise RefusedError(
            "this code (not shown) is too old: have a fresh notice sent with 'pbx-plugin users notify USER'"
        )
    last = desk.directory.latest_notices(desk.tenant.id).get(notice.person_id)
    if last is None or last.id != notice.id:
        raise RefusedError("this code (not shown) belongs to an earlier notice: the user must confirm the latest one")
    person = next((p for p in desk.directory.people(desk.tenant.id) if p.id == notice.person_id), None)
    if person is None or not person.enrolled:
        raise RefusedError("the user of this code (not shown) is not enrolled any more: there is nothing to confirm")
    return _acknowledged(desk, notice, by=person.name, how="by the code that was mailed")


def _acknowledged(desk: Desk, notice: Notice, *, by: str, how: str) -> Notice:
    if notice.acknowledged_at is not None:
        return notice
    done = replace(
        notice,
        code_sha256=None,
        acknowledged_at=desk.at,
        acknowledged_by=by,
        acknowledged_how=how,
        acknowledged_sha256=notice.text_sha256,
    )
    desk.directory.save_acknowledgement(done)
    desk.note("notice acknowledged", notice.person_id, notice=notice.id, by=by, how=how, text_sha256=notice.text_sha256)
    return done


def _fresh_code(desk: Desk) -> str:
    # Ids are random (UUIDv4); two of them and a digest make 120 bits that do not tell the ids.
    seed = hashlib.sha256(f"{desk.new_id()}{desk.new_id()}".encode()).digest()
    return base64.b32encode(seed).decode()[:_CODE_LENGTH]


def _bare(code: str) -> str:
    return "".join(sign for sign in code.upper() if sign.isalnum())


def _digest(code: str) -> str:
    return hashlib.sha256(code.encode()).hexdigest()
