"""Policies that somebody works on: kept by name, each made from a version, and put in force when they are ready.

A draft is checked when it is changed, and again when it is applied: what it speaks of may be gone by then, and the
version that it was made from may no longer be in force.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, replace
from typing import Any

from pbx_plugin.services import policies
from pbx_plugin.services.audit import Desk
from pbx_plugin.services.directory import RefusedError
from pbx_plugin.services.policy_document import RULE_NAMES, as_document, differences, from_document
from pbx_plugin.services.policy_records import Draft

LONGEST_NAME = 60
MOST_DRAFTS = 50
Changes = Sequence[tuple[str, Any, Any]]


@dataclass(frozen=True, slots=True)
class Comparison:
    """A draft beside the policy in force: ``ours`` is what the draft changes of its base, ``theirs`` what was put in
    force since, and ``would_change`` what applying the draft would do."""

    draft: Draft
    in_force: int
    ours: Changes
    theirs: Changes
    would_change: Changes

    @property
    def outdated(self) -> bool:
        """Whether the version that the draft was made from is no longer in force."""
        return self.draft.base != self.in_force


class OutdatedError(RefusedError):
    """The draft's base is no longer in force; ``comparison`` has both differences."""

    def __init__(self, comparison: Comparison) -> None:
        self.comparison = comparison
        draft = comparison.draft
        super().__init__(
            f"draft {draft.name!r} was made from version {draft.base}, and version {comparison.in_force} is in force: "
            "'pbx-plugin policy draft rebase' puts its changes on that one, --anyway undoes what it changed"
        )


def find(desk: Desk, name: str = "") -> Draft:
    """Return a draft by its name, or the only one. Raises RefusedError when it cannot be told."""
    found = desk.directory.drafts(desk.tenant.id)
    if not name and len(found) == 1:
        return found[0]
    for draft in found:
        if draft.name == name:
            return draft
    there = ", ".join(repr(draft.name) for draft in found) or "none: 'pbx-plugin policy draft new' makes one"
    raise RefusedError(f"no draft {name!r}: there is {there}" if name else f"say which draft: there is {there}")


def create(desk: Desk, name: str, *, base: int | None = None, comment: str = "") -> Draft:
    """Make a draft that says what the policy in force says, or an earlier version. Raises RefusedError."""
    # A name also stands in the paths of the REST interface.
    if not name or len(name) > LONGEST_NAME or not name.isprintable() or name != name.strip() or "/" in name:
        raise RefusedError(f"draft name {name!r} is not one: 1 to {LONGEST_NAME} signs on one line, no '/'")
    policies.check_comment(comment)
    known = desk.directory.drafts(desk.tenant.id)
    if any(draft.name == name for draft in known):
        raise RefusedError(f"draft {name!r} is there already: change it, or discard it first")
    if len(known) >= MOST_DRAFTS:
        raise RefusedError(f"there are {MOST_DRAFTS} drafts already: discard some")
    version = (policies.in_force(desk) if base is None else policies.find(desk, base)).version
    draft = Draft(name, version.number, version, desk.actor, desk.at, desk.actor, desk.at, comment)
    desk.directory.save_draft(draft)
    desk.note("policy draft made", name, base=draft.base, comment=comment)
    return draft


def document_of(desk: Desk, draft: Draft) -> dict[str, Any]:
    """Return a draft as a document with names for ids."""
    return as_document(draft.version, policies.names_of(desk))


def edit(desk: Desk, draft: Draft, document: Mapping[str, Any], *, comment: str | None = None) -> Changes:
    """Let a draft say what the document says, and return what that changed. Raises RefusedError naming what cannot be.

    ``comment`` None leaves it as it is.
    """
    policies.check_comment(comment or "")
    version = from_document(document, draft.base, policies.names_of(desk))
    return _keep(desk, replace(draft, version=version, comment=draft.comment if comment is None else comment), draft)


def put(desk: Desk, draft: Draft, settings: Sequence[tuple[str, object]], *, comment: str | None = None) -> Changes:
    """Set some settings of a draft, such as ``announce`` or ``groups.support``; a value of None takes one out.

    Where a list is wanted one text will do. Raises RefusedError naming what cannot be.
    """
    document = deepcopy(document_of(desk, draft))
    for setting, value in settings:
        key, dot, name = setting.partition(".")
        held = document.get(key)
        if key not in document or isinstance(held, dict) != bool(dot):
            raise RefusedError(f"policy: {setting!r} is not a setting: 'pbx-plugin policy draft show' has them all")
        if isinstance(held, dict):
            # What the document has by this name may be gone from the company, and can still be taken out.
            _set(held, name if name in held else _spelled(desk, key, name), _listed(key, name, value))
        else:
            _set(document, key, [value] if isinstance(held, list) and isinstance(value, str) else value)
    return edit(desk, draft, document, comment=comment)


def discard(desk: Desk, draft: Draft) -> None:
    """Delete a draft; that it was there is audited."""
    desk.directory.delete_draft(desk.tenant.id, draft.name)
    desk.note("policy draft discarded", draft.name, base=draft.base)


def compare(desk: Desk, draft: Draft) -> Comparison:
    """Return what a draft changes of its base, what was put in force since, and what applying it would do."""
    base, now = policies.find(desk, draft.base), policies.in_force(desk)
    before, after = policies.document_of(desk, base), policies.document_of(desk, now)
    mine = document_of(desk, draft)
    return Comparison(
        draft,
        now.version.number,
        ours=differences(before, mine),
        theirs=differences(before, after),
        would_change=differences(after, mine),
    )


def rebase(desk: Desk, draft: Draft) -> Changes:
    """Put a draft's changes on the version in force, from which it is then made; return what that changed in it.

    Raises RefusedError naming the settings that both have changed, each otherwise.
    """
    beside = compare(desk, draft)
    theirs = {setting: after for setting, _, after in beside.theirs}
    both = [setting for setting, _, after in beside.ours if setting in theirs and theirs[setting] != after]
    if both:
        raise RefusedError(
            f"draft {draft.name!r} and version {beside.in_force} both change {', '.join(both)}: set it in the draft as "
            "the version has it, or apply with --anyway"
        )
    document = deepcopy(policies.document_of(desk, policies.in_force(desk)))
    for setting, _, after in beside.ours:
        key, colon, name = setting.partition(": ")
        _set(document[key] if colon else document, name if colon else key, after)
    version = from_document(document, beside.in_force, policies.names_of(desk))
    return _keep(desk, replace(draft, base=beside.in_force, version=version), draft)


def apply(
    desk: Desk, draft: Draft, *, comment: str = "", acknowledged: bool = False, anyway: bool = False
) -> policies.Outcome:
    """Put a draft in force as a new version, and drop it.

    Raises OutdatedError where another version was put in force since it was made, unless ``anyway``: then the new
    version says what the draft says, also where that takes back what the other changed. Raises RefusedError as
    :func:`pbx_plugin.services.policies.apply` does.
    """
    beside = compare(desk, draft)
    if beside.outdated and not anyway:
        raise OutdatedError(beside)
    outcome = policies.apply(
        desk, document_of(desk, draft), comment=comment or draft.comment, acknowledged=acknowledged
    )
    desk.directory.delete_draft(desk.tenant.id, draft.name)
    desk.note("policy draft applied", draft.name, base=draft.base, version=outcome.policy.version.number)
    return outcome


def _keep(desk: Desk, draft: Draft, before: Draft) -> Changes:
    changes = differences(document_of(desk, before), document_of(desk, draft))
    if draft != before:
        desk.directory.save_draft(replace(draft, changed_by=desk.actor, changed_at=desk.at))
        said = [list(change) for change in changes]
        desk.note("policy draft changed", draft.name, base=draft.base, comment=draft.comment, changes=said)
    return changes


def _set(document: dict[str, Any], key: str, value: object) -> None:
    if value is None:
        document.pop(key, None)
    else:
        document[key] = value


def _listed(key: str, name: str, value: object) -> object:
    wants_list = key == "departments" or (key == "schedule" and name != "time_zone")
    return [value] if wants_list and isinstance(value, str) and value != "all" else value


def _spelled(desk: Desk, key: str, name: str) -> str:
    """Return a group's or rule's name as the document has it, so that its number does not make a second entry."""
    if key == "groups":
        names = policies.names_of(desk)
        return names.group_name(names.group(name))
    return RULE_NAMES.get(int(name), name) if key.endswith("_rules") and name.isdecimal() else name
