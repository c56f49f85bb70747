"""Who may see, hear and change what in the portal: decided here and nowhere else.

A *viewer* is a signed-in account as it stands at this moment. Their role says how far they see (:func:`scope`) and what
they may do with what they see (:func:`may`). A query asks the scope, a page asks ``may``; both say the same, and a
test holds them against each other.

How far a role sees:

* *none*: nothing.
* *own*: the recordings of the user that the account is tied to.
* *restricted*: the recordings of users who are **now** in one of the chosen departments or are **now** members of one
  of the recording groups (those chosen for the account, and those that the tied user supervises), and their own. So a
  user who moves takes their recordings along: whoever leads a team hears the team that they lead, with its past.
* *superuser*: everything of the company.

No role leads out of its own company.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

UNDEFINED_DEPARTMENT = ""
"""The id under which users without a department are chosen."""

LONGEST_ACTOR = 100


class Role(StrEnum):
    """How far an account sees. ``none`` may sign in and sees nothing."""

    NONE = "none"
    OWN = "own"
    RESTRICTED = "restricted"
    SUPERUSER = "superuser"


class Action(StrEnum):
    """What somebody may do. The first eight are done to a recording, the others to the company."""

    SEE = "see"
    SEE_HISTORY = "see history"
    LISTEN = "listen"
    DOWNLOAD = "download"
    MAIL = "mail"
    ANNOTATE = "annotate"
    EVALUATE = "evaluate"
    DELETE = "delete"
    CHANGE_EXPIRY = "change expiry"
    SEE_UNRECORDED = "see unrecorded"
    ACCOUNTS = "accounts"
    SETTINGS = "settings"


EVERYBODY = frozenset({Role.OWN, Role.RESTRICTED, Role.SUPERUSER})
LEADERS = frozenset({Role.RESTRICTED, Role.SUPERUSER})
SUPERUSERS = frozenset({Role.SUPERUSER})

ROLES: dict[Action, frozenset[Role]] = {
    Action.SEE: EVERYBODY,
    Action.SEE_HISTORY: EVERYBODY,
    Action.LISTEN: EVERYBODY,
    Action.DOWNLOAD: EVERYBODY,
    Action.MAIL: EVERYBODY,
    Action.ANNOTATE: EVERYBODY,
    Action.EVALUATE: LEADERS,
    Action.DELETE: SUPERUSERS,
    Action.CHANGE_EXPIRY: SUPERUSERS,
    Action.SEE_UNRECORDED: SUPERUSERS,
    Action.ACCOUNTS: SUPERUSERS,
    Action.SETTINGS: SUPERUSERS,
}
"""Which roles may do what at all, as far as they see and their switches let them."""


@dataclass(frozen=True, slots=True)
class Viewer:
    """A signed-in account. ``person_id`` is the user that it is tied to, None where there is none (any more).

    ``recording_group_ids`` are the recording groups chosen for the account and those that its user supervises. The
    three switches hold for every role: a superuser without ``may_listen`` runs the company and hears nothing.
    """

    tenant_id: str
    account_id: str
    name: str
    role: Role
    email: str = ""
    person_id: str | None = None
    department_ids: frozenset[str] = frozenset()
    recording_group_ids: frozenset[str] = frozenset()
    may_listen: bool = False
    may_download: bool = False
    may_mail: bool = False
    language: str = "en"

    @property
    def actor(self) -> str:
        """Who the audit says did it: the account's e-mail address, which is its name within the company."""
        return (self.email or self.name)[:LONGEST_ACTOR]


@dataclass(frozen=True, slots=True)
class Subject:
    """A recording as far as access asks: its company and user, and where that user belongs now."""

    tenant_id: str
    person_id: str = ""
    department_id: str = UNDEFINED_DEPARTMENT
    recording_group_ids: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Scope:
    """What a query is restricted to: one company, and within it everything, or what any of the others lets in."""

    tenant_id: str
    everything: bool = False
    person_id: str | None = None
    department_ids: frozenset[str] = frozenset()
    recording_group_ids: frozenset[str] = frozenset()

    @property
    def empty(self) -> bool:
        """Whether nothing at all can be in it."""
        return not (self.everything or self.person_id or self.department_ids or self.recording_group_ids)

    def holds(self, subject: Subject) -> bool:
        """Whether a recording is in it."""
        if subject.tenant_id != self.tenant_id:
            return False
        if self.everything:
            return True
        if not subject.person_id:
            return False
        return (
            subject.person_id == self.person_id
            or subject.department_id in self.department_ids
            or not self.recording_group_ids.isdisjoint(subject.recording_group_ids)
        )


def scope(viewer: Viewer) -> Scope:
    """Return how far somebody sees; every query for recordings is restricted to it."""
    if viewer.role is Role.SUPERUSER:
        return Scope(viewer.tenant_id, everything=True)
    if viewer.role is Role.OWN:
        return Scope(viewer.tenant_id, person_id=viewer.person_id)
    if viewer.role is Role.RESTRICTED:
        return Scope(
            viewer.tenant_id,
            person_id=viewer.person_id,
            department_ids=viewer.department_ids,
            recording_group_ids=viewer.recording_group_ids,
        )
    return Scope(viewer.tenant_id)


def may(viewer: Viewer, action: Action, subject: Subject | None = None) -> bool:
    """Whether somebody may do this to a recording; without ``subject``, to anything that they see, or to the company.

    Handing a recording on, as a file or as a link that plays for anybody, is hearing it too: who may not listen may
    neither download nor mail.
    """
    if viewer.role not in ROLES[action]:
        return False
    if action in (Action.LISTEN, Action.DOWNLOAD, Action.MAIL) and not viewer.may_listen:
        return False
    if action is Action.DOWNLOAD and not viewer.may_download:
        return False
    if action is Action.MAIL and not viewer.may_mail:
        return False
    return subject is None or scope(viewer).holds(subject)
