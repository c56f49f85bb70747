"""The edges of each rule: what must never be recorded, what is, who may switch it, and who is told."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from decision_builder import (
    AT,
    CALLER,
    a_colleague,
    a_user,
    incoming,
    inside,
    internal,
    joined,
    outgoing,
    outsider,
)
from decision_case import ARMED, NEVER, NO, RECORD, TOLD, Case, case
from decision_rules import apply

from pbx_plugin.domain.call import Consent, ConsentBy, Direction, Mode, Number, Party, Switch
from pbx_plugin.domain.policy import Announce, DepartmentRule, Exclusion


def never_cases() -> list[Case]:
    """Return the edges of rules 1 to 6."""
    always = incoming(Mode.ALWAYS)
    bo = a_colleague(ddi="+4533440102")
    two_outside = (outsider("40506070", "+4540506070"), Party(CALLER))
    return [
        case("emergency: 112 is dialled", outgoing(Mode.ALWAYS, "112"), NEVER, 1, announce=None, may_pause=False),
        case("emergency: behind the outside line's digit", outgoing(Mode.ALWAYS, "0112"), NEVER, 1),
        case("emergency: with the country's code", outgoing(Mode.ALWAYS, "+45112"), NEVER, 1),
        case("emergency: 112 calls back", always.but(others=(outsider("112"),)), NEVER, 1),
        case("emergency: one of three parties", always.but(others=(Party(CALLER), outsider("112"))), NEVER, 1),
        case("emergency: a longer number is none", outgoing(Mode.ALWAYS, "11255566"), RECORD, 10),
        case("emergency: a trunk that delivers 0112 as direct number", always.but(dialled=Number("0112")), RECORD, 10),
        case(
            "emergency: a number of the company's own list",
            outgoing(Mode.ALWAYS, "1813").under(emergency_numbers=("1813",)),
            NEVER,
            1,
        ),
        case("excluded: the second of two parties", always.but(others=two_outside).excluding(CALLER.e164), NEVER, 2),
        case("excluded: a prefix", always.excluding(Exclusion("p", "+453120", prefix=True)), NEVER, 2, excluded="p"),
        case("excluded: a national prefix", always.excluding(Exclusion("p", "3120", prefix=True)), NEVER, 2),
        case("excluded: another number", always.excluding("+4531200119"), RECORD, 10, excluded=""),
        case("excluded: the user is picked", always.excluding(Exclusion("u", user_id="mia")), NEVER, 2),
        case(
            "excluded: the colleague is picked",
            internal(a_user(Mode.ALWAYS), bo).excluding(Exclusion("u", user_id="bo")),
            NEVER,
            2,
        ),
        case("excluded: the colleague's extension", internal(a_user(Mode.ALWAYS), bo).excluding("102"), NEVER, 2),
        case(
            "excluded: the colleague's direct number",
            internal(a_user(Mode.ALWAYS), bo).excluding("+4533440102"),
            NEVER,
            2,
        ),
        case("excluded: expired", always.excluding(Exclusion("x", CALLER.e164, expires_at=AT)), RECORD, 10),
        case(
            "excluded: not yet expired",
            always.excluding(Exclusion("x", CALLER.e164, expires_at=AT + timedelta(seconds=1))),
            NEVER,
            2,
        ),
        case("excluded: somebody was, earlier in the call", always.but(excluded="x7"), NEVER, 2, excluded="x7"),
        case(
            "excluded: dialled, and the trunk shows another number",
            outgoing(Mode.ALWAYS, "31200118", others=(outsider("4000"),)).excluding(CALLER.e164),
            NEVER,
            2,
        ),
        case("refused: a trusted route lifts nothing", always.consent(Consent.REFUSED).through("trusted"), NEVER, 3),
        case(
            "withdrawn: a trusted route lifts nothing", always.consent(Consent.WITHDRAWN).through("trusted"), NEVER, 3
        ),
        case("refused: for a whitelisted group too", incoming().consent(Consent.REFUSED).through("sales"), NEVER, 3),
        case("refused: the first of two groups", always.through("unrecorded", "sales"), NEVER, 3),
        case("required: a trusted route lifts nothing", always.consent(Consent.REQUIRED).through("trusted"), NEVER, 4),
        case("required: by a group, also for an always user", always.through("recorded", "plain"), NEVER, 4),
        case(
            "required: a trusted route is not enough for a consent group",
            always.through("trusted", "recorded"),
            NEVER,
            4,
        ),
        case(
            "required: also when the trusted route was noted before",
            always.consent(Consent.GIVEN, ConsentBy.TRUSTED_ROUTE).through("recorded"),
            NEVER,
            4,
        ),
        case(
            "required: on one of two calls that become one",
            joined(always.consent(Consent.GIVEN), always.consent(Consent.REQUIRED)),
            NEVER,
            4,
        ),
        case(
            "required: by a group on one of two calls, consent given on the other",
            joined(always.consent(Consent.GIVEN), always.through("recorded")),
            NEVER,
            4,
        ),
        case(
            "refused: on the other of two calls that become one",
            joined(always, always.consent(Consent.REFUSED)),
            NEVER,
            3,
        ),
        case("refused: by the group of the other call", joined(always, always.through("unrecorded")), NEVER, 3),
        case("never: mode always but not enrolled", always.user(enrolled=False), NEVER, 5),
        case(
            "never: mode never, whatever the department", apply(11, incoming(Mode.NEVER)), NEVER, 5, may_switch_on=False
        ),
        case("off: the policy itself is switched off", always.under(recording_off=True), NEVER, 6),
    ]


def record_cases() -> list[Case]:
    """Return the edges of rules 7 to 13: what records, and who may switch it."""
    pauser: dict[str, Any] = {"may_pause": True}
    consented = incoming().consent(Consent.GIVEN).through("recorded")
    covered = apply(11, incoming())
    sales = incoming().user(department_id="sales")
    for_sales = {Direction.INCOMING: DepartmentRule(department_ids=frozenset({"sales"}))}
    for_undefined = {Direction.INCOMING: DepartmentRule(department_ids=frozenset({""}))}
    locked: dict[str, Any] = {"can_switch_off": False}
    off: dict[str, Any] = {"switch": Switch.OFF}
    return [
        case(
            "whitelisted number: not deletable, not switched",
            apply(7, incoming().but(**off)),
            RECORD,
            7,
            deletable_by_hand=False,
            may_switch_off=False,
            may_pause=False,
            announce=TOLD,
        ),
        case(
            "whitelisted number: paused with the right to it",
            apply(7, incoming().user(**pauser)),
            RECORD,
            7,
            may_pause=True,
            may_switch_off=False,
        ),
        case(
            "whitelisted number: none was dialled",
            incoming(ddi=Number()).under(whitelisted_ddis=frozenset({""})),
            ARMED,
            12,
        ),
        case(
            "whitelisted number: a short one, as the trunk delivers it",
            incoming(ddi=Number("55 66")).under(whitelisted_ddis=frozenset({"5566"})),
            RECORD,
            7,
        ),
        case(
            "whitelisted number: only what was dialled counts",
            incoming().under(whitelisted_ddis=frozenset({CALLER.e164})),
            ARMED,
            12,
        ),
        case(
            "whitelisted group: not switched off",
            apply(8, incoming().but(**off)),
            RECORD,
            8,
            may_switch_off=False,
            deletable_by_hand=True,
            announce=TOLD,
        ),
        case("whitelisted group: the first of two", incoming().through("sales", "plain"), RECORD, 8),
        case("plain group: nothing", incoming().through("plain"), ARMED, 12),
        case("a group that the policy does not know: nothing", incoming().through("new"), ARMED, 12),
        case("consented group: switched off", consented.but(**off), ARMED, 12, may_switch_on=True),
        case("consented group: switched on again", consented.but(switch=Switch.ON), RECORD, 9, may_switch_off=True),
        case("consented group: may not be switched off", consented.under(**locked), RECORD, 9, may_switch_off=False),
        case("consented group: switched off where that may not be", consented.but(**off).under(**locked), RECORD, 9),
        case(
            "consented group: an always user cannot switch",
            consented.user(mode=Mode.ALWAYS).but(**off),
            RECORD,
            9,
            may_switch_off=False,
        ),
        case(
            "trusted route: consent asked by our IVR",
            incoming().consent(Consent.GIVEN).through("trusted"),
            RECORD,
            9,
            consent_proven=True,
        ),
        case(
            "consent without evidence is not proven",
            consented.consent(Consent.GIVEN, evidence=""),
            RECORD,
            9,
            consent_proven=False,
        ),
        case("consent given records nothing by itself", incoming().consent(Consent.GIVEN), ARMED, 12, announce=None),
        case(
            "always: not switched off",
            incoming(Mode.ALWAYS).but(**off),
            RECORD,
            10,
            may_switch_on=False,
            may_switch_off=False,
            may_pause=False,
        ),
        case("always: paused with the right to it", incoming(Mode.ALWAYS).user(**pauser), RECORD, 10, may_pause=True),
        case("department: covered", sales.under(departments=for_sales), RECORD, 11, may_switch_off=True),
        case("department: another one", incoming().user(department_id="it").under(departments=for_sales), ARMED, 12),
        case("department: without one, not covered", incoming().under(departments=for_sales), ARMED, 12),
        case("department: Undefined is one", incoming().under(departments=for_undefined), RECORD, 11),
        case("department: Undefined does not cover Sales", sales.under(departments=for_undefined), ARMED, 12),
        case("department: the other direction", covered.but(direction=Direction.OUTGOING), ARMED, 12),
        case("department: switched off", covered.but(**off), ARMED, 12, may_switch_on=True),
        case(
            "department: may not be switched off", covered.but(**off).under(**locked), RECORD, 11, may_switch_off=False
        ),
        case("on demand: untouched", incoming(), ARMED, 12, may_switch_on=True, may_switch_off=False, may_pause=False),
        case("on demand: on", incoming(switch=Switch.ON), RECORD, 12, may_switch_on=False, may_switch_off=True),
        case(
            "on demand: on, whatever the setting",
            incoming(switch=Switch.ON).under(**locked),
            RECORD,
            12,
            may_switch_off=True,
        ),
        case("on demand: off", incoming().but(**off), ARMED, 12, may_switch_on=True),
        case(
            "a mode of a later version records nothing",
            apply(13, incoming(switch=Switch.ON)),
            NO,
            13,
            may_switch_on=False,
            announce=None,
        ),
    ]


def announcement_cases() -> list[Case]:
    """Return who must be told before recording."""
    always, consented = incoming(Mode.ALWAYS), incoming(Mode.ALWAYS).consent(Consent.GIVEN)
    second = outsider("40506070", "+4540506070")
    colleague = inside(a_colleague())
    return [
        case("told: an outsider calls", always, RECORD, 10, announce=TOLD),
        case("told: an outsider is called", outgoing(Mode.ALWAYS), RECORD, 10, announce=TOLD),
        case("told: not again", always.but(announced=True), RECORD, 10, announce=None),
        case("told: not who consented", consented, RECORD, 10, announce=None),
        case(
            "told: a second outsider has not consented",
            consented.but(others=(Party(CALLER), second)),
            RECORD,
            10,
            announce=TOLD,
        ),
        case(
            "told: a second outsider, whom the one who consented has left",
            consented.but(others=(second,), consented=False),
            RECORD,
            10,
            announce=TOLD,
        ),
        case(
            "told: nobody where both outside consented",
            consented.but(others=(Party(CALLER), second), consented=True),
            RECORD,
            10,
            announce=None,
        ),
        case(
            "told: consent and a colleague on the call",
            consented.but(others=(Party(CALLER), colleague)),
            RECORD,
            10,
            announce=None,
        ),
        case("told: an outsider beside a colleague", always.but(others=(colleague, second)), RECORD, 10, announce=TOLD),
        case("told: the far end is not known", always.but(others=()), RECORD, 10, announce=TOLD),
        case("told: nobody among colleagues", internal(a_user(Mode.ALWAYS), a_colleague()), RECORD, 10, announce=None),
        case(
            "told: as the policy says",
            always.under(announce=Announce.BEST_EFFORT),
            RECORD,
            10,
            announce=Announce.BEST_EFFORT,
        ),
        case(
            "told: the superuser's no announcement",
            always.under(announce=Announce.NONE),
            RECORD,
            10,
            announce=Announce.NONE,
        ),
        case("told: an armed toggle knows", incoming(), ARMED, 12, announce=TOLD),
        case("told: nobody when nothing is recorded", incoming(Mode.NEVER), NEVER, 5, announce=None),
    ]
