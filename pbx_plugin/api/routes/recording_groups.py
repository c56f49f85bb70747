"""Recording groups: whose recordings are supervised together, and by whom. They have nothing to do with who rings."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends
from pydantic import Field

from pbx_plugin.api.caller import Caller, Needs
from pbx_plugin.api.problems import documented
from pbx_plugin.api.words import Body, DryRun, Name, Shown, Word, found
from pbx_plugin.services import recording_groups
from pbx_plugin.services.audit import Desk
from pbx_plugin.services.people_records import RecordingGroup
from pbx_plugin.services.tokens import Scope

router = APIRouter(prefix="/v1/recording-groups", tags=["recording groups"])

Reader = Annotated[Caller, Depends(Needs(Scope.RECORDING_GROUPS_READ))]
Writer = Annotated[Caller, Depends(Needs(Scope.RECORDING_GROUPS_WRITE))]

MOST_NAMED = 1000


class RecordingGroupShown(Shown):
    """A recording group; members and supervisors are extensions, sorted."""

    id: str
    name: str
    members: list[str]
    supervisors: list[str]


class RecordingGroupChange(Body):
    """What to set; what is left out stays. ``members`` and ``supervisors`` replace all of them."""

    name: Word | None = None
    members: list[Word] | None = Field(None, max_length=MOST_NAMED, description="Extensions or ids.")
    supervisors: list[Word] | None = Field(
        None, max_length=MOST_NAMED, description="Extensions or ids of who sees the members' recordings."
    )


class RecordingGroupNew(RecordingGroupChange):
    """A new recording group."""

    name: Word


@router.get("")
def list_recording_groups(caller: Reader) -> list[RecordingGroupShown]:
    """List the recording groups, by name."""
    with caller.looking() as desk:
        extensions = _extensions(desk)
        return [_shown(group, extensions) for group in desk.directory.recording_groups(desk.tenant.id)]


@router.post("", status_code=201)
def add_recording_group(caller: Writer, body: RecordingGroupNew, dry_run: DryRun = False) -> RecordingGroupShown:
    """Add a recording group. From then on its supervisors see its members' recordings."""
    with caller.changing(dry_run=dry_run) as desk:
        group = recording_groups.add(desk, body.name, body.members or (), body.supervisors or ())
        return _shown(group, _extensions(desk))


@router.get("/{recording_group}", responses=documented(404))
def show_recording_group(caller: Reader, recording_group: Name) -> RecordingGroupShown:
    """Show one recording group, by id or name."""
    with caller.looking() as desk:
        return _shown(_one(desk, recording_group), _extensions(desk))


@router.patch("/{recording_group}", responses=documented(404))
def change_recording_group(
    caller: Writer, recording_group: Name, body: RecordingGroupChange, dry_run: DryRun = False
) -> RecordingGroupShown:
    """Change one recording group; what is left out stays."""
    with caller.changing(dry_run=dry_run) as desk:
        group = recording_groups.change(
            desk, _one(desk, recording_group), name=body.name, members=body.members, supervisors=body.supervisors
        )
        return _shown(group, _extensions(desk))


@router.delete("/{recording_group}", responses=documented(404, 409))
def remove_recording_group(caller: Writer, recording_group: Name, dry_run: DryRun = False) -> RecordingGroupShown:
    """Remove a recording group; the recordings stay."""
    with caller.changing(dry_run=dry_run) as desk:
        group = _one(desk, recording_group)
        recording_groups.remove(desk, group)
        return _shown(group, _extensions(desk))


def _one(desk: Desk, who: str) -> RecordingGroup:
    group: RecordingGroup = found(recording_groups.find, desk, who)
    return group


def _extensions(desk: Desk) -> dict[str, str]:
    return {person.id: person.extension for person in desk.directory.people(desk.tenant.id)}


def _shown(group: RecordingGroup, extensions: dict[str, str]) -> RecordingGroupShown:
    def named(ids: frozenset[str]) -> list[str]:
        return sorted(extensions.get(one, one) for one in ids)

    return RecordingGroupShown(
        id=group.id, name=group.name, members=named(group.members), supervisors=named(group.supervisors)
    )
