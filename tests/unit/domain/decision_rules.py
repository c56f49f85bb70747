"""Every rule alone, and every pair of rules."""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

from decision_builder import (
    CALLER,
    DDI,
    Situation,
    incoming,
)
from decision_case import ARMED, NEVER, NO, RECORD, Case, case

from pbx_plugin.domain.call import Consent, Direction, Mode, Number
from pbx_plugin.domain.policy import DepartmentRule

VERDICTS = dict.fromkeys(range(1, 7), NEVER) | dict.fromkeys(range(7, 12), RECORD) | {12: ARMED, 13: NO}


def apply(rule: int, situation: Situation) -> Situation:
    """Return the situation with what makes one rule match, whatever it was before."""
    makers: dict[int, Callable[[Situation], Situation]] = {
        1: lambda s: s.but(dialled=Number("112")),
        2: lambda s: s.excluding(CALLER.e164),
        3: lambda s: s.through("unrecorded"),
        4: lambda s: s.consent(Consent.REQUIRED),
        5: lambda s: s.user(enrolled=False),
        6: lambda s: s.but(off_at_start=True),
        7: lambda s: s.under(whitelisted_ddis=frozenset({DDI.e164})),
        8: lambda s: s.through("sales"),
        9: lambda s: s.consent(Consent.GIVEN).through("recorded"),
        10: lambda s: s.user(mode=Mode.ALWAYS),
        11: lambda s: s.under(departments={Direction.INCOMING: DepartmentRule(everyone=True)}),
        12: lambda s: s.user(mode=Mode.ON_DEMAND),
        13: lambda s: s.user(mode=cast(Mode, "a mode of a later version")),
    }
    return makers[rule](situation)


def each_rule() -> list[Case]:
    """Return every rule alone, and before every later one."""
    alone = [case(f"rule {n} alone", apply(n, incoming()), VERDICTS[n], n) for n in VERDICTS]
    pairs = [
        case(f"rule {n} before rule {later}", apply(n, apply(later, incoming())), VERDICTS[n], n)
        for n in VERDICTS
        for later in VERDICTS
        if n < later
    ]
    return alone + pairs
