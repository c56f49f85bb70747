"""A policy document says the same before and after it is read."""

from __future__ import annotations

import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pbx_plugin.domain.call import Direction
from pbx_plugin.domain.policy import (
    RECORDING_RULES,
    Announce,
    BeepTo,
    DepartmentRule,
    GroupKind,
    GroupPolicy,
    HuntGroup,
    PolicyVersion,
)
from pbx_plugin.domain.rulebook import Tenant
from pbx_plugin.domain.schedule import Schedule, Span
from pbx_plugin.services.directory import Department, RefusedError
from pbx_plugin.services.policy_document import Names, as_document, as_toml, differences, from_document
from pbx_plugin.services.policy_notes import notes_of

TEXT = st.text(st.characters(blacklist_categories=["Cs"], blacklist_characters="\0"), min_size=1, max_size=20)
GROUPS = tuple(HuntGroup(f"g{n}", "t", f"60{n}", f"group-{n}", GroupKind.QUEUE) for n in range(3))
DDIS = ("+4570101010", "+4570101011")


def names(*departments: str) -> Names:
    known = [Department(f"d{n}", "t", name) for n, name in enumerate(departments)]
    return Names(Tenant("t", "Company"), known, GROUPS, frozenset(DDIS))


@st.composite
def policies(draw: st.DrawFn) -> tuple[PolicyVersion, Names]:
    departments = draw(
        st.lists(TEXT.filter(lambda name: name != "Undefined" and name[0] != "d"), max_size=3, unique=True)
    )
    ids = ["", *(f"d{n}" for n in range(len(departments)))]
    rules = st.one_of(
        st.just(DepartmentRule(everyone=True)),
        st.frozensets(st.sampled_from(ids), min_size=1).map(lambda chosen: DepartmentRule(department_ids=chosen)),
    )
    version = PolicyVersion(
        "t",
        7,
        departments=draw(st.dictionaries(st.sampled_from(Direction), rules)),
        whitelisted_ddis=draw(st.frozensets(st.sampled_from(DDIS))),
        groups=draw(st.dictionaries(st.sampled_from([g.id for g in GROUPS]), st.sampled_from(GroupPolicy))),
        emergency_numbers=tuple(draw(st.lists(st.from_regex(r"[0-9]{2,8}", fullmatch=True), min_size=1, unique=True))),
        recording_off=draw(st.booleans()),
        can_switch_off=draw(st.booleans()),
        announce=draw(st.sampled_from(Announce)),
        hold_closes_segment=draw(st.booleans()),
        withdrawal_erases=draw(st.booleans()),
        announce_user=draw(st.frozensets(st.sampled_from(Direction))),
        beep_seconds=draw(st.sampled_from([0, 10, 15, 120])),
        beep_to=draw(st.sampled_from(BeepTo)),
        beep_seconds_directions=draw(st.dictionaries(st.sampled_from(Direction), st.sampled_from([0, 10, 120]))),
        beep_to_directions=draw(st.dictionaries(st.sampled_from(Direction), st.sampled_from(BeepTo))),
        retention_days=draw(st.integers(7, 365)),
        announce_rules=draw(st.dictionaries(st.sampled_from(RECORDING_RULES), st.sampled_from(Announce))),
        announce_directions=draw(
            st.dictionaries(st.sampled_from([Direction.INCOMING, Direction.OUTGOING]), st.sampled_from(Announce))
        ),
        retention_rules=draw(st.dictionaries(st.sampled_from(RECORDING_RULES), st.integers(7, 365))),
        retention_departments=draw(st.dictionaries(st.sampled_from(ids), st.integers(7, 365))),
        schedule=draw(
            st.sampled_from([None, Schedule("Europe/Copenhagen", (Span(0, 480, 1020), Span(4, 1320, 1800)))])
        ),
    )
    return version, names(*departments)


@given(policies())
def test_a_policy_comes_back_whole_from_its_draft(drawn: tuple[PolicyVersion, Names]) -> None:
    version, known = drawn
    document = as_document(version, known)
    assert tomllib.loads(as_toml(document, "A heading\nof two lines")) == document
    assert tomllib.loads(as_toml(document, "With all that could be said", notes_of(version, known))) == document
    assert from_document(document, 7, known) == version
    assert differences(document, document) == []


def test_an_empty_document_is_the_safest_policy() -> None:
    assert from_document({}, 1, names()) == PolicyVersion("t", 1)


def test_differences_name_each_setting_once() -> None:
    before = {"announce": "best effort", "groups": {"a": "x", "b": "y"}}
    after = {"announce": "no announcement", "groups": {"b": "y", "c": "z"}}
    assert differences(before, after) == [
        ("announce", "best effort", "no announcement"),
        ("groups: a", "x", None),
        ("groups: c", None, "z"),
    ]


def test_a_policy_that_speaks_of_what_has_gone_shows_its_id_and_is_refused() -> None:
    gone = PolicyVersion("t", 1, departments={Direction.INCOMING: DepartmentRule(department_ids=frozenset({"gone"}))})
    document = as_document(gone, names())
    assert document["departments"]["incoming"] == ["gone"]
    with pytest.raises(RefusedError, match="'gone'"):
        from_document(document, 2, names())


@pytest.mark.parametrize(
    ("document", "complaint"),
    [
        ({"beep_seconds": 9}, "10 to 120"),
        ({"beep_seconds": 121}, "10 to 120"),
        ({"beep_seconds": False}, "whole number"),
        ({"beep_to": "everybody"}, "no 'everybody'"),
        ({"beep_seconds_directions": {"outgoing": 9}}, "beep_seconds_directions.outgoing 9"),
        ({"beep_seconds_directions": {"outgoing": False}}, "whole number"),
        ({"beep_seconds_directions": {"sideways": 10}}, "no 'sideways'"),
        ({"beep_seconds_directions": 10}, "table of settings"),
        ({"beep_to_directions": {"internal": "everybody"}}, "no 'everybody'"),
        ({"announce_user": ["sideways"]}, "no 'sideways'"),
        ({"announce_user": "incoming"}, "list of texts"),
        ({"announce_rules": {"6": "best effort"}}, "no rule '6'"),
        ({"announce_rules": {"7": "softly"}}, "no 'softly'"),
        ({"announce_rules": {"7": "best effort", "whitelisted direct number": "no announcement"}}, "rule 7 twice"),
        ({"announce_directions": {"internal": "best effort"}}, "nobody is outside"),
        ({"announce_directions": {"sideways": "best effort"}}, "'sideways'"),
        ({"retention_rules": {"7": 6}}, "out of range: 7 to 365"),
        ({"retention_rules": {"7": 366}}, "out of range: 7 to 365"),
        ({"retention_days": True}, "whole number"),
        ({"retention_departments": {"Nowhere": 30}}, "'Nowhere'"),
        ({"retention_departments": {"Sales": 30, "d0": 40}}, "stands twice"),
        ({"retention_departments": {"Sales": "long"}}, "whole number"),
        ({"schedule": {"time_zone": ""}}, "time_zone"),
    ],
)
def test_what_is_said_of_a_rule_or_department_must_be_possible(document: dict[str, object], complaint: str) -> None:
    with pytest.raises(RefusedError, match=complaint):
        from_document(document, 1, names("Sales"))


def test_a_draft_shows_every_group_and_department_with_its_present_value() -> None:
    version = PolicyVersion(
        "t",
        1,
        departments={Direction.OUTGOING: DepartmentRule(department_ids=frozenset({"d0"}))},
        groups={"g1": GroupPolicy.ALWAYS},
    )
    known = names("Sales", "Legal")
    shown = as_toml(as_document(version, known), "", notes_of(version, known)).splitlines()
    for line in (
        '# "Sales": recorded outgoing',
        '# "Legal": not recorded',
        '# "Undefined": not recorded',
        '# "group-0" = "not applicable"  # queue 600',
        '# "group-1" = "always (whitelisted)"  # queue 601',
        '# "Sales" = 7',
        '# "whitelisted direct number" = "announce or do not record"',
        '# "internal" = 0',
        '# "internal" = "both"',
    ):
        assert line in shown
