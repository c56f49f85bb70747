"""Hunt groups and recording groups as rows of a CSV file."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

from pbx_plugin.domain.policy import HuntGroup
from pbx_plugin.services.audit import Desk
from pbx_plugin.services.csv_table import joined
from pbx_plugin.services.directory import Person
from pbx_plugin.services.imports import Change, Row, yes
from pbx_plugin.services.people_records import RecordingGroup

GROUPS, RECORDING_GROUPS = "groups", "recording groups"
GROUP_COLUMNS = (
    "id",
    "name",
    "number",
    "kind",
    "members",
    "bridged",
    "strategy",
    "ring_seconds",
    "wait_seconds",
    "wrap_up_seconds",
    "music",
)
RECORDING_GROUP_COLUMNS = ("id", "name", "members", "supervisors")


def extensions(everyone: Mapping[str, Person], ids: Collection[str]) -> list[str]:
    """Return users as they stand in a cell: by extension; removed ones are left out."""
    return [everyone[i].extension for i in ids if i in everyone and everyone[i].extension]


def group_rows(desk: Desk) -> list[Row]:
    """Return the hunt groups with their users as rows, by number."""
    everyone = {person.id: person for person in desk.directory.people(desk.tenant.id)}
    members = desk.directory.memberships(desk.tenant.id)
    return [
        group_row(group, extensions(everyone, members.get(group.id, ())))
        for group in desk.directory.groups(desk.tenant.id)
    ]


def group_row(group: HuntGroup, members: Sequence[str]) -> Row:
    """Return a hunt group as a row."""
    return {
        "id": group.id,
        "name": group.name,
        "number": group.number,
        "kind": group.kind.value,
        "members": joined(members),
        "bridged": yes(group.bridging.on),
        "strategy": group.bridging.strategy.value,
        "ring_seconds": str(group.bridging.ring_seconds),
        "wait_seconds": str(group.bridging.wait_seconds),
        "wrap_up_seconds": str(group.bridging.wrap_up_seconds),
        "music": yes(group.bridging.music),
    }


def recording_group_rows(desk: Desk) -> list[Row]:
    """Return the recording groups as rows, by name."""
    everyone = {person.id: person for person in desk.directory.people(desk.tenant.id)}
    return [recording_group_row(group, everyone) for group in desk.directory.recording_groups(desk.tenant.id)]


def recording_group_row(group: RecordingGroup, everyone: Mapping[str, Person]) -> Row:
    """Return a recording group as a row."""
    return {
        "id": group.id,
        "name": group.name,
        "members": joined(sorted(extensions(everyone, group.members))),
        "supervisors": joined(sorted(extensions(everyone, group.supervisors))),
    }


def left_by(desk: Desk, gone: Collection[str], everyone: Mapping[str, Person]) -> list[Change]:
    """Take users out of all groups, and return what that changed. ``everyone`` is as it was before they left."""
    changes: list[Change] = []
    if not gone:
        return changes
    members = desk.directory.memberships(desk.tenant.id)
    for group in desk.directory.groups(desk.tenant.id):
        before = list(members.get(group.id, ()))
        after = [identity for identity in before if identity not in gone]
        if after != before:
            desk.directory.save_group(group, after)
            was, becomes = (joined(extensions(everyone, ids)) for ids in (before, after))
            changes.append(Change(GROUPS, group.id, group.name, {"members": was}, {"members": becomes}))
    for circle in desk.directory.recording_groups(desk.tenant.id):
        left = replace(
            circle,
            members=circle.members.difference(gone),
            supervisors=circle.supervisors.difference(gone),
        )
        if left != circle:
            desk.directory.save_recording_group(left)
            rows = recording_group_row(circle, everyone), recording_group_row(left, everyone)
            was_row, becomes_row = ({c: row[c] for c in ("members", "supervisors")} for row in rows)
            changes.append(Change(RECORDING_GROUPS, circle.id, circle.name, was_row, becomes_row))
    return changes
