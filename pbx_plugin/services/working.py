"""Working on a recording: flag, outcome, customer response, tag, notes, and the lists that one chooses from.

Who may is decided by :mod:`pbx_plugin.domain.access`; ``viewer`` None is the machine's own admin or a program, whose
rights were looked at elsewhere. Every change is audited with what was before and what is after; of a note's text the
audit keeps digests only, so that it proves what was written without keeping it for ever.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

from pbx_plugin.domain.access import Action, Scope, Viewer, may, scope
from pbx_plugin.domain.working import (
    LONGEST_CHOICE,
    LONGEST_MS,
    LONGEST_NOTE,
    LONGEST_TAG,
    Choice,
    ChoiceKind,
    Flag,
    Mark,
    Note,
)
from pbx_plugin.services import numbering
from pbx_plugin.services.audit import Desk, changed
from pbx_plugin.services.directory import RefusedError
from pbx_plugin.services.handing import ForbiddenError, Recorded

MOST_CHOICES = 200


class ChangedMeanwhileError(RefusedError):
    """Somebody else changed the same thing since it was shown; nothing was changed."""


class Work(Protocol):
    """The rows of one company's marks, notes and lists, in one transaction."""

    def recorded(self, scope: Scope, recording_id: str) -> Recorded:
        """Return a recording within the scope that was not deleted. Raises LookupError (NotFoundError)."""
        ...

    def mark(self, tenant_id: str, recording_id: str) -> Mark:
        """Return its mark; one of version 0 where nothing was marked."""
        ...

    def save_mark(self, desk: Desk, mark: Mark) -> bool:
        """Write a mark over the one of its version and count that up; False when somebody was faster."""
        ...

    def notes(self, tenant_id: str, recording_id: str) -> Sequence[Note]:
        """Return its notes, oldest first."""
        ...

    def save_note(self, tenant_id: str, note: Note) -> None:
        """Write a note, new or changed; what is found by its words follows."""
        ...

    def delete_note(self, tenant_id: str, note: Note) -> None:
        """Delete a note; what is found by its words follows."""
        ...

    def choices(self, tenant_id: str) -> Sequence[Choice]:
        """Return both lists, retired entries too, each in its order."""
        ...

    def save_choice(self, desk: Desk, choice: Choice) -> None:
        """Write an entry of a list."""
        ...


@dataclass(frozen=True, slots=True)
class Marking:
    """What is to be changed; None leaves it as it is. ``outcome`` and ``response`` are choices' ids or texts."""

    outcome: str | None = None
    response: str | None = None
    flag: Flag | None = None
    tag: str | None = None


def mark(
    work: Work, desk: Desk, viewer: Viewer | None, recording_id: str, wish: Marking, version: int | None = None
) -> Mark:
    """Change what is marked on a recording, and return it; what is so already is not audited.

    ``version`` is the mark's that the wish was made of, None to change whatever is there. Raises NotFoundError,
    ForbiddenError, ChangedMeanwhileError, and RefusedError for what is in no list.
    """
    found = allowed(work, desk, viewer, recording_id, Action.ANNOTATE)
    before = work.mark(desk.tenant.id, recording_id)
    if version is not None and version != before.version:
        raise ChangedMeanwhileError(
            "somebody else has changed this recording's marks meanwhile: look, and choose again"
        )
    choices = work.choices(desk.tenant.id)
    after = replace(
        before,
        outcome=_chosen(choices, ChoiceKind.OUTCOME, wish.outcome, before.outcome),
        response=_chosen(choices, ChoiceKind.RESPONSE, wish.response, before.response),
        flag=before.flag if wish.flag is None else wish.flag,
        tag=before.tag if wish.tag is None else clean_line(wish.tag, "tag", LONGEST_TAG),
    )
    if after == before:
        return before
    words = {choice.id: choice.text for choice in choices}
    if not work.save_mark(desk, after):
        raise ChangedMeanwhileError("somebody else has just changed this recording's marks: look, and choose again")
    desk.note("marked", recording_id, call=found.call_id, **changed(_shown(before, words), _shown(after, words)))
    return replace(after, version=before.version + 1)


def add_note(
    work: Work,
    desk: Desk,
    viewer: Viewer | None,
    recording_id: str,
    text: str,
    at_ms: int | None = None,
    colour: Flag = Flag.NONE,
) -> Note:
    """Write a note, about the place ``at_ms`` where that is given. Raises as :func:`mark` does."""
    found = allowed(work, desk, viewer, recording_id, Action.ANNOTATE)
    if at_ms is not None and not 0 <= at_ms <= (found.length_ms or LONGEST_MS):
        raise RefusedError(f"the note is about {at_ms} ms, and the recording has {found.length_ms} ms")
    account = viewer.account_id if viewer else ""
    note = Note(desk.new_id(), recording_id, at_ms, clean_note(text), desk.actor, desk.at, account, colour)
    work.save_note(desk.tenant.id, note)
    told = {"at_ms": at_ms, "colour": colour.value, "text_sha256": _digest(note.text)}
    desk.note("note added", recording_id, note=note.id, **told)
    return note


def change_note(
    work: Work,
    desk: Desk,
    viewer: Viewer | None,
    recording_id: str,
    note_id: str,
    text: str | None = None,
    colour: Flag | None = None,
) -> Note:
    """Change the words or the colour of one's own note. Raises as :func:`mark` does."""
    before = _own_note(work, desk, viewer, recording_id, note_id)
    after = replace(
        before,
        text=before.text if text is None else clean_note(text),
        colour=before.colour if colour is None else colour,
    )
    if after == before:
        return before
    after = replace(after, changed_at=desk.at)
    work.save_note(desk.tenant.id, after)
    shown = [
        {"colour": note.colour.value, "text_sha256": _digest(note.text), "author": note.author}
        for note in (before, after)
    ]
    desk.note("note changed", recording_id, note=note_id, **changed(shown[0], shown[1]))
    return after


def remove_note(work: Work, desk: Desk, viewer: Viewer | None, recording_id: str, note_id: str) -> None:
    """Remove one's own note. Raises as :func:`mark` does."""
    note = _own_note(work, desk, viewer, recording_id, note_id)
    work.delete_note(desk.tenant.id, note)
    desk.note("note removed", recording_id, note=note_id, author=note.author, text_sha256=_digest(note.text))


def set_choices(
    work: Work, desk: Desk, viewer: Viewer | None, kind: ChoiceKind, texts: Sequence[str]
) -> Sequence[Choice]:
    """Let a list be exactly this, in this order; what is no longer in it is retired and stays where it was chosen.

    Raises ForbiddenError and RefusedError.
    """
    if viewer is not None and not may(viewer, Action.SETTINGS):
        raise ForbiddenError("only a superuser may change the lists")
    wanted = [clean_line(text, kind.value, LONGEST_CHOICE) for text in texts]
    if "" in wanted:
        raise RefusedError(f"an entry of the list of {kind.value}s is empty: leave it out")
    twice = sorted({text for text in wanted if wanted.count(text) > 1})
    if twice or len(wanted) > MOST_CHOICES:
        raise RefusedError(f"{twice[0]!r} is there twice" if twice else f"a list has {MOST_CHOICES} entries at most")
    there = {choice.text: choice for choice in work.choices(desk.tenant.id) if choice.kind is kind}
    before = [choice.text for choice in there.values() if not choice.retired]
    if before == wanted:
        return [there[text] for text in wanted]
    for choice in there.values():
        if choice.text not in wanted and not choice.retired:
            work.save_choice(desk, replace(choice, retired=True))
    listed = []
    for position, text in enumerate(wanted):
        old = there.get(text)
        choice = replace(old, position=position, retired=False) if old else Choice(desk.new_id(), kind, text, position)
        work.save_choice(desk, choice)
        listed.append(choice)
    desk.note("list changed", kind.value, entries=[before, wanted])
    return listed


def allowed(work: Work, desk: Desk, viewer: Viewer | None, recording_id: str, action: Action) -> Recorded:
    """Return the recording if somebody may do this to it.

    Raises NotFoundError, also for what they do not see at all, and ForbiddenError.
    """
    reach = scope(viewer) if viewer else Scope(desk.tenant.id, everything=True)
    found = work.recorded(reach, recording_id)
    if viewer is not None and not may(viewer, action, found.subject):
        raise ForbiddenError(f"your account may not {action.value} this recording")
    return found


def clean_line(text: str, what: str, longest: int) -> str:
    """Return the text on one line, empty allowed. Raises RefusedError, saying which value and why."""
    line = " ".join(text.split())
    return numbering.clean_name(line, what, longest) if line else ""


def clean_note(text: str) -> str:
    """Return a note's text just as it is. Raises RefusedError when it is empty, too long or no valid text."""
    if not text.strip():
        raise RefusedError("the note is empty: write something")
    return numbering.clean_words(text, "the note", LONGEST_NOTE)


def _own_note(work: Work, desk: Desk, viewer: Viewer | None, recording_id: str, note_id: str) -> Note:
    allowed(work, desk, viewer, recording_id, Action.ANNOTATE)
    note = next((note for note in work.notes(desk.tenant.id, recording_id) if note.id == note_id), None)
    if note is None:
        raise RefusedError(f"recording {recording_id} has no note {note_id!r}: somebody may have removed it")
    if viewer is not None and note.account_id != viewer.account_id:
        raise ForbiddenError(f"this note is {note.author}'s: only they may change it")
    return note


def _chosen(choices: Sequence[Choice], kind: ChoiceKind, wish: str | None, before: str) -> str:
    if wish is None or wish == before:
        return before
    if not wish:
        return ""
    offered = [choice for choice in choices if choice.kind is kind and not choice.retired]
    for choice in offered:
        if wish in (choice.id, choice.text):
            return choice.id
    there = ", ".join(repr(choice.text) for choice in offered) or "nothing yet"
    raise RefusedError(f"{wish!r} is not in the list of {kind.value}s: there is {there}")


def _shown(mark: Mark, words: Mapping[str, str]) -> dict[str, Any]:
    return {
        "outcome": words.get(mark.outcome, mark.outcome),
        "response": words.get(mark.response, mark.response),
        "flag": mark.flag.value,
        "tag": mark.tag,
    }


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
