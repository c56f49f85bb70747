"""Any call at all, drawn from few people, numbers and groups so that they meet often."""

from __future__ import annotations

from typing import Any

from decision_builder import AT, GROUPS, Situation
from hypothesis import strategies as st

from pbx_plugin.domain.call import Consent, ConsentBy, Direction, Marks, Mode, Number, Party, Switch, User
from pbx_plugin.domain.decision import Facts
from pbx_plugin.domain.policy import Announce, DepartmentRule, Exclusion, PolicyVersion

OUTSIDE = ("+4531200118", "+4540506070", "+46812345678")
"""The outside people. Each is known by several spellings, of which a call brings any."""

SPELLED = {
    OUTSIDE[0]: (Number("31200118", OUTSIDE[0]), Number("4531200118", OUTSIDE[0]), Number("", OUTSIDE[0])),
    OUTSIDE[1]: (Number("40 50 60 70"), Number("004540506070"), Number("sip:+4540506070@trunk", OUTSIDE[1])),
    OUTSIDE[2]: (Number("+46812345678"), Number("0046 8 123 456 78", OUTSIDE[2])),
}
UNKNOWN = (Number("anonymous"), Number(), Number("7"))
EMERGENCY = (Number("112"), Number("1 1 2"), Number("+45112"))


def mostly(usual: object, *rare: object) -> st.SearchStrategy[Any]:
    """Draw the usual value nine times in ten, so that one thing forbidding a recording does not hide all others."""
    return st.integers(0, 9).flatmap(lambda dice: st.sampled_from(rare) if dice == 9 else st.just(usual))


modes = st.sampled_from((Mode.ON_DEMAND, Mode.ON_DEMAND, Mode.ALWAYS, Mode.ALWAYS, Mode.NEVER))
user_ids = st.sampled_from(("mia", "bo", "eva"))
DDIS = {"mia": "+4533440101", "bo": "+4533440102", "eva": ""}
EXTENSIONS = {"mia": "101", "bo": "102", "eva": "103"}

users = st.builds(
    lambda name, mode, enrolled, department, pause: User(
        name, "acme", name, EXTENSIONS[name], mode, enrolled, department, DDIS[name], may_pause=pause
    ),
    user_ids,
    modes,
    mostly(True, False),
    st.sampled_from(("", "sales")),
    st.booleans(),
)
outside_numbers = st.sampled_from([number for spelled in SPELLED.values() for number in spelled] + list(UNKNOWN))
outsiders = st.builds(Party, outside_numbers)
colleagues = users.map(lambda user: Party(Number(user.extension, user.ddi), user))
emergencies = st.sampled_from([Party(number) for number in EMERGENCY])
anybody = st.integers(0, 15).flatmap(
    lambda dice: emergencies if dice == 15 else colleagues if dice % 3 == 2 else outsiders
)
parties = st.lists(anybody, max_size=3).map(tuple)

marks = st.builds(
    Marks,
    st.sampled_from((Consent.NOT_REQUIRED, Consent.NOT_REQUIRED, Consent.GIVEN, Consent.GIVEN, *Consent)),
    st.sampled_from(ConsentBy),
    st.sampled_from(("", "evidence-1")),
    st.lists(
        st.sampled_from(("plain", "sales", "recorded", "trusted", *GROUPS, "unknown")),
        max_size=3,
        unique=True,
    ).map(tuple),
)
exclusions = st.one_of(
    st.builds(lambda pattern: Exclusion(f"x{pattern}", pattern), st.sampled_from((*OUTSIDE, *EXTENSIONS.values()))),
    st.builds(lambda user_id: Exclusion(f"x{user_id}", user_id=user_id), user_ids),
    st.just(Exclusion("prefix", "+4531", prefix=True)),
    st.just(Exclusion("expired", OUTSIDE[0], expires_at=AT)),
)
policies = st.builds(
    lambda departments, ddis, off, can_switch_off, announce: PolicyVersion(
        "acme",
        4,
        departments=departments,
        whitelisted_ddis=ddis,
        groups=dict(GROUPS),
        recording_off=off,
        can_switch_off=can_switch_off,
        announce=announce,
    ),
    st.dictionaries(
        st.sampled_from(Direction),
        st.sampled_from((DepartmentRule(True), DepartmentRule(department_ids=frozenset({"sales"})))),
    ),
    st.sampled_from((frozenset[str](), frozenset({"+4533445566"}))),
    mostly(False, True),
    st.booleans(),
    st.sampled_from(Announce),
)
facts = st.builds(
    Facts,
    user=users,
    direction=st.sampled_from(Direction),
    others=parties,
    ddi=st.sampled_from((Number(), Number("33445566", "+4533445566"), Number("33445567", "+4533445567"))),
    dialled=mostly(Number("33445566", "+4533445566"), Number(), *EMERGENCY),
    marks=marks,
    switch=st.sampled_from(Switch),
    off_at_start=mostly(False, True),
    announced=st.booleans(),
    consented=st.sampled_from((None, True, False)),
    excluded=mostly("", "x9"),
)
situations = st.builds(Situation, facts, policies, st.lists(exclusions, max_size=1).map(tuple))


def identity(party: Party) -> str:
    """Return who an outside party is, whatever their number's spelling; empty when not known."""
    return next((who for who, spelled in SPELLED.items() if party.number in spelled), "")


def barred(situation: Situation) -> bool:
    """Tell whether anybody on the call is excluded, told from who they are and not from how they are spelled."""
    facts = situation.facts
    people = {facts.user.id, *(party.user.id for party in facts.others if party.user)}
    known = {identity(party) for party in facts.others if not party.user}
    known = (known | {DDIS[one] for one in people} | {EXTENSIONS[one] for one in people}) - {""}
    return bool(facts.excluded) or any(
        exclusion.expires_at is None
        and (
            exclusion.user_id in people
            or exclusion.pattern in known
            or (exclusion.prefix and any(number.startswith(exclusion.pattern) for number in known))
        )
        for exclusion in situation.exclusions
    )


def never_facts(situation: Situation) -> list[str]:
    """Return all that forbids a recording in a situation, read straight from the facts."""
    facts, policy = situation.facts, situation.policy
    marks, groups = facts.marks, {GROUPS.get(group) for group in facts.marks.presented_to}
    emergency = any(number in EMERGENCY for number in (facts.dialled, *(party.number for party in facts.others)))
    asks = GROUPS["recorded"] in groups
    unproven = marks.consent is Consent.GIVEN and marks.consent_by is ConsentBy.TRUSTED_ROUTE
    found = {
        "emergency": emergency,
        "excluded": barred(situation),
        "refused": marks.consent in (Consent.REFUSED, Consent.WITHDRAWN),
        "refusers' group": GROUPS["unrecorded"] in groups,
        "required": marks.consent is Consent.REQUIRED,
        "required by a group": asks and (marks.consent is Consent.NOT_REQUIRED or unproven),
        "not enrolled": not facts.user.enrolled,
        "mode never": facts.user.mode is Mode.NEVER,
        "off": facts.off_at_start or policy.recording_off,
    }
    return [name for name, holds in found.items() if holds]
