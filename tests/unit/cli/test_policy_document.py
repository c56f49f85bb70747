"""A policy document says the same before and after it is read."""

from __future__ import annotations

import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pbx_plugin.domain.call import Direction
from pbx_plugin.domain.policy import Announce, DepartmentRule, GroupKind, GroupPolicy, HuntGroup, PolicyVersion
from pbx_plugin.domain.rulebook import Tenant
from pbx_plugin.services.directory import Department, RefusedError
from pbx_plugin.services.policy_document import Names, as_document, as_toml, differences, from_document

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
        retention_days=draw(st.integers(7, 365)),
    )
    return version, names(*departments)


@given(policies())
def test_a_policy_comes_back_whole_from_its_draft(drawn: tuple[PolicyVersion, Names]) -> None:
    version, known = drawn
    document = as_document(version, known)
    assert tomllib.loads(as_toml(document, "A heading\nof two lines")) == document
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
