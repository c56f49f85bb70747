"""Policies are edited, then applied: each applied one is an immutable, numbered version with author, time, words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from pbx_plugin.domain.policy import PolicyVersion, weaker_announcements
from pbx_plugin.services import numbering
from pbx_plugin.services.audit import Desk
from pbx_plugin.services.directory import AppliedPolicy, RefusedError
from pbx_plugin.services.policy_document import Names, as_document, as_toml, differences, from_document
from pbx_plugin.services.policy_notes import notes_of

LONGEST_COMMENT = 500


@dataclass(frozen=True, slots=True)
class Outcome:
    """What applying did: the policy now in force, and what differs from the one before (empty: no new version)."""

    policy: AppliedPolicy
    changes: Sequence[tuple[str, Any, Any]]


def names_of(desk: Desk) -> Names:
    """Return what the company's policy may speak of."""
    return Names(
        desk.tenant,
        desk.directory.departments(desk.tenant.id),
        desk.directory.groups(desk.tenant.id),
        frozenset(number.e164 for number in desk.directory.direct_numbers(desk.tenant.id)),
        lambda name: desk.directory.time_zone(name) is not None,
    )


def in_force(desk: Desk) -> AppliedPolicy:
    """Return the policy in force: version 0, which records nothing, where none was applied."""
    policies = desk.directory.policies(desk.tenant.id)
    return policies[-1] if policies else _version_zero(desk)


def find(desk: Desk, number: int) -> AppliedPolicy:
    """Return one applied version. Raises RefusedError when there is none of that number."""
    for policy in (_version_zero(desk), *desk.directory.policies(desk.tenant.id)):
        if policy.version.number == number:
            return policy
    raise RefusedError(f"no policy version {number}: see 'pbx-plugin policy versions'")


def document_of(desk: Desk, policy: AppliedPolicy) -> dict[str, Any]:
    """Return an applied policy as a document with names for ids."""
    return as_document(policy.version, names_of(desk))


def toml_of(desk: Desk, version: PolicyVersion, heading: str) -> str:
    """Return a policy as TOML to edit, with every group and department and its present value as comments."""
    names = names_of(desk)
    return as_toml(as_document(version, names), heading, notes_of(version, names))


def read(desk: Desk, document: Mapping[str, Any]) -> PolicyVersion:
    """Return the policy of a document as the next version would be, applying nothing. Raises RefusedError."""
    return from_document(document, in_force(desk).version.number + 1, names_of(desk))


def compare(desk: Desk, before: AppliedPolicy, after: AppliedPolicy) -> list[tuple[str, Any, Any]]:
    """Return what differs between two applied policies, as (setting, before, after)."""
    return differences(document_of(desk, before), document_of(desk, after))


def apply(desk: Desk, document: Mapping[str, Any], *, comment: str = "", acknowledged: bool = False) -> Outcome:
    """Make a new version of the document and put it in force; a document that changes nothing makes no version.

    Raises RefusedError naming what cannot be, and when the announcement becomes weaker than it is without
    ``acknowledged``; that acknowledgement is audited by itself.
    """
    check_comment(comment)
    number = in_force(desk).version.number + 1
    return _put_in_force(desk, from_document(document, number, names_of(desk)), comment, acknowledged)


def check_comment(comment: str) -> None:
    """Refuse a comment that cannot be kept."""
    numbering.clean_words(comment, "the comment", LONGEST_COMMENT)


def roll_back(desk: Desk, number: int, *, comment: str = "", acknowledged: bool = False) -> Outcome:
    """Put an earlier version's content in force again, as a new version. Raises RefusedError as :func:`apply` does."""
    document = document_of(desk, find(desk, number))
    try:
        read(desk, document)
    except RefusedError as error:
        raise RefusedError(
            f"version {number} speaks of what is gone ({error}): make a draft of it with 'pbx-plugin policy draft new "
            f"NAME --from {number}', take that out, and apply it with --anyway"
        ) from error
    return apply(desk, document, comment=comment or f"back to version {number}", acknowledged=acknowledged)


def switch(desk: Desk, *, off: bool, comment: str = "") -> Outcome:
    """Switch all recording off (or on again) for calls that begin from now on, keeping the rest of the policy."""
    current = in_force(desk).version
    version = replace(current, number=current.number + 1, recording_off=off)
    return _put_in_force(desk, version, comment or f"recording {'off' if off else 'on'}", acknowledged=False)


def _put_in_force(desk: Desk, version: PolicyVersion, comment: str, acknowledged: bool) -> Outcome:
    current = in_force(desk)
    names = names_of(desk)
    changes = differences(as_document(current.version, names), as_document(version, names))
    if not changes:
        return Outcome(current, ())
    weaker = weaker_announcements(current.version, version)
    if weaker and not acknowledged:
        softest = " and ".join(sorted({repr(how.value) for _, _, how in weaker}))
        where = sorted({f"{direction} calls by rule {rule}" for rule, direction, _ in weaker})
        raise RefusedError(
            f"the announcement would become {softest} ({', '.join(where)}): callers may be recorded without having "
            "been told; if that is lawful for you, repeat with --acknowledge-announcement"
        )
    policy = AppliedPolicy(version, desk.actor, desk.at, comment)
    desk.directory.add_policy(policy)
    subject = str(version.number)
    if weaker:
        said = [{"rule": rule, "direction": direction.value, "after": how.value} for rule, direction, how in weaker]
        before, after = current.version.announce.value, version.announce.value
        desk.note("announcement weakened", subject, before=before, after=after, where=said)
    desk.note("policy applied", subject, comment=comment, changes=[list(change) for change in changes])
    return Outcome(policy, changes)


def _version_zero(desk: Desk) -> AppliedPolicy:
    version = PolicyVersion(desk.tenant.id, country=desk.tenant.country)
    return AppliedPolicy(version, "", desk.at, "nothing was applied: nothing is recorded")
