"""Who may do what: a table of role by action, and how far each role sees."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pbx_plugin.domain.access import ROLES, Action, Role, Scope, Subject, Viewer, may, scope

ALL_SWITCHES = {"may_listen": True, "may_download": True, "may_mail": True}
ANNA, BO, CARL, EVA = "p-anna", "p-bo", "p-carl", "p-eva"
SALES, LEGAL = "d-sales", "d-legal"
NIGHT = "g-night"

# One line an action: may none, own, restricted, superuser do it to a recording that they see, every switch on?
TABLE = """
see             - x x x
see history     - x x x
listen          - x x x
download        - x x x
mail            - x x x
annotate        - x x x
evaluate        - - x x
delete          - - - x
change expiry   - - - x
see unrecorded  - - - x
accounts        - - - x
settings        - - - x
"""


def viewer(role: Role, **values: object) -> Viewer:
    return replace(Viewer("acme", "a1", "Anna", role, person_id=ANNA, **ALL_SWITCHES), **values)  # type: ignore[arg-type]


def recording(person: str, department: str = "", *groups: str, tenant: str = "acme") -> Subject:
    return Subject(tenant, person, department, frozenset(groups))


def lines() -> list[tuple[Action, Role, bool]]:
    found = []
    for line in TABLE.strip().splitlines():
        words = line.split()
        for role, mark in zip(Role, words[-4:], strict=True):
            found.append((Action(" ".join(words[:-4])), role, mark == "x"))
    return found


@pytest.mark.parametrize(("action", "role", "expected"), lines())
def test_each_role_may_do_what_the_table_says(action: Action, role: Role, expected: bool) -> None:
    assert may(viewer(role), action) is expected
    assert may(viewer(role), action, recording(ANNA)) is expected


def test_the_table_names_every_action_once_and_no_role_is_forgotten() -> None:
    assert [action for action, role, _ in lines() if role is Role.NONE] == list(Action)
    assert set(ROLES) == set(Action)


@pytest.mark.parametrize("role", Role)
@pytest.mark.parametrize("action", Action)
def test_nobody_reaches_into_another_company(role: Role, action: Action) -> None:
    everywhere = viewer(role, department_ids=frozenset({SALES}), recording_group_ids=frozenset({NIGHT}))
    assert not may(everywhere, action, recording(ANNA, SALES, NIGHT, tenant="globex"))


@pytest.mark.parametrize("role", [Role.OWN, Role.RESTRICTED, Role.SUPERUSER])
@pytest.mark.parametrize(
    ("switch", "lost"),
    [
        ("may_listen", {Action.LISTEN, Action.DOWNLOAD, Action.MAIL}),
        ("may_download", {Action.DOWNLOAD}),
        ("may_mail", {Action.MAIL}),
    ],
)
def test_a_switch_takes_away_what_it_is_for_and_nothing_else(role: Role, switch: str, lost: set[Action]) -> None:
    with_all = {action for action in Action if may(viewer(role), action)}
    without = {action for action in Action if may(viewer(role, **{switch: False}), action)}
    assert with_all - without == lost


def test_somebody_with_their_own_recordings_sees_nobody_elses() -> None:
    me = viewer(Role.OWN, department_ids=frozenset({SALES}), recording_group_ids=frozenset({NIGHT}))
    assert scope(me) == Scope("acme", person_id=ANNA)
    assert may(me, Action.LISTEN, recording(ANNA, LEGAL))
    assert not may(me, Action.LISTEN, recording(BO, SALES, NIGHT))


def test_an_account_without_a_user_has_no_recordings_of_its_own() -> None:
    me = viewer(Role.OWN, person_id=None)
    assert scope(me).empty
    assert not may(me, Action.SEE, recording(ANNA))
    assert not may(me, Action.SEE, recording(""))


def test_a_restricted_viewer_sees_departments_groups_and_themselves() -> None:
    leader = viewer(Role.RESTRICTED, department_ids=frozenset({SALES}), recording_group_ids=frozenset({NIGHT}))
    assert may(leader, Action.SEE, recording(BO, SALES))
    assert may(leader, Action.SEE, recording(CARL, LEGAL, NIGHT))
    assert may(leader, Action.SEE, recording(ANNA, LEGAL))
    assert not may(leader, Action.SEE, recording(EVA, LEGAL, "g-day"))
    assert not may(leader, Action.SEE, recording(EVA))


def test_users_without_a_department_are_seen_only_where_undefined_was_chosen() -> None:
    leader = viewer(Role.RESTRICTED, department_ids=frozenset({""}))
    assert may(leader, Action.SEE, recording(BO))
    assert not may(leader, Action.SEE, recording(BO, SALES))


def test_a_recording_that_belongs_to_nobody_is_the_superusers() -> None:
    leader = viewer(Role.RESTRICTED, department_ids=frozenset({"", SALES}))
    assert not may(leader, Action.SEE, recording(""))
    assert may(viewer(Role.SUPERUSER), Action.SEE, recording(""))


def test_the_audit_calls_somebody_by_their_address() -> None:
    assert viewer(Role.OWN, email="anna@acme.dk").actor == "anna@acme.dk"
    assert viewer(Role.OWN).actor == "Anna"
    assert len(viewer(Role.OWN, email="a" * 300).actor) == 100
