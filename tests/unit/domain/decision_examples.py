"""The worked examples of the specification, by name."""

from __future__ import annotations

from decision_builder import (
    CALLER,
    DDI,
    a_colleague,
    a_user,
    incoming,
    internal,
    joined,
)
from decision_case import ARMED, NEVER, RECORD, TOLD, Case, case

from pbx_plugin.domain.call import Consent, ConsentBy, Direction, Mode, Number, Switch
from pbx_plugin.domain.callstate import Leg
from pbx_plugin.domain.conversation import conversations
from pbx_plugin.domain.numbers import parse_number
from pbx_plugin.domain.policy import DepartmentRule, Exclusion

REFUSED_TOGGLE = {"may_switch_on": False, "may_switch_off": False, "announce": None}


def worked_examples() -> list[Case]:
    """Return the worked examples of the specification; rows with several moments have a case for each."""
    excluded = Exclusion("x1", parse_number("31200118", "DK").e164)
    whitelisted = {"whitelisted_ddis": frozenset({DDI.e164})}
    sales_out = {"departments": {Direction.OUTGOING: DepartmentRule(department_ids=frozenset({"sales"}))}}
    on_demand_sales = incoming().user(department_id="sales").under(**sales_out)
    refuser = incoming(Mode.ALWAYS).consent(Consent.REFUSED).through("unrecorded")
    consultation = internal(a_user(Mode.ALWAYS), a_colleague())
    recorded = incoming(Mode.ALWAYS)
    return [
        case(
            "an excluded caller, typed nationally, calls a whitelisted number",
            incoming().under(**whitelisted).excluding(excluded),
            NEVER,
            2,
            excluded="x1",
        ),
        case(
            "recording off, excluded caller, on-demand user presses the code",
            incoming(off_at_start=True, switch=Switch.ON).excluding(excluded),
            NEVER,
            2,
            **REFUSED_TOGGLE,
        ),
        case("caller presses 2 and lands in the unrecorded group", refuser, NEVER, 3),
        case("... and is then transferred to an always user", refuser.user(id="eva", mode=Mode.ALWAYS), NEVER, 3),
        case(
            "the company's own IVR sends the caller to the refusers' group, then transfer to an always user",
            incoming(Mode.ALWAYS).through("unrecorded"),
            NEVER,
            3,
        ),
        case(
            "AGI down on a consent number, overflow to a plain always user",
            incoming(Mode.ALWAYS).consent(Consent.REQUIRED, evidence=""),
            NEVER,
            4,
        ),
        case(
            "caller presses 1, recorded group, agent on demand",
            incoming().consent(Consent.GIVEN).through("recorded"),
            RECORD,
            9,
            consent_proven=True,
            announce=None,
            may_switch_off=True,
        ),
        case(
            "someone dials the recorded group directly",
            incoming().through("recorded"),
            NEVER,
            4,
            consent=Consent.REQUIRED,
            **REFUSED_TOGGLE,
        ),
        case(
            "... the group set to trusted route",
            incoming().through("trusted"),
            RECORD,
            9,
            consent=Consent.GIVEN,
            consent_by=ConsentBy.TRUSTED_ROUTE,
            consent_proven=False,
            announce=None,
        ),
        case(
            "agent in mode never takes a call to a whitelisted number",
            incoming(Mode.NEVER).under(**whitelisted),
            NEVER,
            5,
        ),
        case(
            "Sales records outgoing only; an on-demand Sales user takes an incoming call",
            on_demand_sales,
            ARMED,
            12,
            may_switch_on=True,
            may_switch_off=False,
            announce=TOLD,
        ),
        case("... presses the code", on_demand_sales.but(switch=Switch.ON), RECORD, 12, announce=TOLD),
        case(
            "... the announcement was heard",
            on_demand_sales.but(switch=Switch.ON, announced=True),
            RECORD,
            12,
            announce=None,
            may_switch_off=True,
        ),
        case(
            "... presses again",
            on_demand_sales.but(switch=Switch.OFF, announced=True),
            ARMED,
            12,
            may_switch_on=True,
            may_switch_off=False,
        ),
        case(
            "... and a third time: no second announcement",
            on_demand_sales.but(switch=Switch.ON, announced=True),
            RECORD,
            12,
            announce=None,
            may_switch_off=True,
        ),
        case("an always user consults a colleague about a refusing caller", consultation, RECORD, 10, announce=None),
        case(
            "... and completes the transfer: the colleague, from the merge on",
            joined(refuser.but(user=a_colleague(Mode.ALWAYS)), consultation, refuser.facts.others),
            NEVER,
            3,
        ),
        case(
            "internal call, always and never: the first user",
            internal(a_user(Mode.ALWAYS), a_colleague(Mode.NEVER)),
            RECORD,
            10,
            announce=None,
        ),
        case(
            "internal call, always and never: the second user",
            internal(a_colleague(Mode.NEVER), a_user(Mode.ALWAYS)),
            NEVER,
            5,
        ),
        case("a recorded caller, before the blind transfer to outside", recorded, RECORD, 10),
        case(
            "caller says no after all; agent presses the withdrawal code",
            recorded.consent(Consent.WITHDRAWN),
            NEVER,
            3,
            **REFUSED_TOGGLE,
        ),
        case("a recorded call runs on when recording is switched off at 17:00", recorded, RECORD, 10),
        case("... a call that begins now", recorded.but(off_at_start=True), NEVER, 6),
    ]


def nobody_is_decided_after_a_transfer_outside() -> bool:
    """Tell whether a caller who was blind-transferred to an outside number leaves no user to decide for."""
    legs = [Leg("1", "PJSIP/trunk-1", CALLER, bridge="b"), Leg("2", "PJSIP/trunk-2", Number("30"), bridge="b")]
    return not any(talk.inside for talk in conversations(legs, hold_ends=True))
