"""Recording groups: any number of them, any users in them, and the supervisors who see their recordings.

They have nothing to do with who rings, and no decision about recording asks them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

from pbx_plugin.services import numbering, people
from pbx_plugin.services.audit import Desk, changed
from pbx_plugin.services.directory import RefusedError
from pbx_plugin.services.people_records import RecordingGroup


def find(desk: Desk, who: str) -> RecordingGroup:
    """Return the recording group of that name or id. Raises RefusedError when there is none."""
    for group in desk.directory.recording_groups(desk.tenant.id):
        if who in (group.name, group.id):
            return group
    raise RefusedError(f"no recording group {who!r}: see 'pbx-plugin recording-groups list'")


def add(desk: Desk, name: str, members: Sequence[str] = (), supervisors: Sequence[str] = ()) -> RecordingGroup:
    """Add a recording group; users go by extension, id or exact name. Raises RefusedError when the name is taken."""
    group = RecordingGroup(
        desk.new_id(), desk.tenant.id, _free_name(desk, name), _users(desk, members), _users(desk, supervisors)
    )
    desk.directory.save_recording_group(group)
    desk.note("recording group added", group.id, **plain(group))
    return group


def change(
    desk: Desk,
    group: RecordingGroup,
    *,
    name: str | None = None,
    members: Sequence[str] | None = None,
    supervisors: Sequence[str] | None = None,
) -> RecordingGroup:
    """Set what is not ``None``; members and supervisors replace those before. No change, no audit entry."""
    wanted = group
    if name is not None and name != group.name:
        wanted = replace(wanted, name=_free_name(desk, name))
    if members is not None:
        wanted = replace(wanted, members=_users(desk, members))
    if supervisors is not None:
        wanted = replace(wanted, supervisors=_users(desk, supervisors))
    if wanted != group:
        desk.directory.save_recording_group(wanted)
        desk.note("recording group changed", group.id, **changed(plain(group), plain(wanted)))
    return wanted


def remove(desk: Desk, group: RecordingGroup) -> None:
    """Remove a recording group; the recordings of its members stay."""
    desk.directory.delete_recording_group(group)
    desk.note("recording group removed", group.id, **plain(group))


def supervised_by(groups: Iterable[RecordingGroup], person_id: str) -> frozenset[str]:
    """Return the users (ids) whose recordings somebody sees as a supervisor; the one place where that is told."""
    return frozenset(member for group in groups if person_id in group.supervisors for member in group.members)


def plain(group: RecordingGroup) -> dict[str, Any]:
    """Return a recording group's values for the audit."""
    return {"name": group.name, "members": sorted(group.members), "supervisors": sorted(group.supervisors)}


def _users(desk: Desk, who: Sequence[str]) -> frozenset[str]:
    return frozenset(people.find(desk, one).id for one in who)


def _free_name(desk: Desk, text: str) -> str:
    name = numbering.clean_name(text, "the recording group's name")
    if any(name in (g.name, g.id) for g in desk.directory.recording_groups(desk.tenant.id)):
        raise RefusedError(f"recording group {name!r} is there already")
    return name
