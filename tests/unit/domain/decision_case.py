"""A call and what must come of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from decision_builder import (
    Situation,
)

from pbx_plugin.domain.decision import Verdict
from pbx_plugin.domain.policy import Announce

NEVER, RECORD, ARMED, NO = Verdict.NEVER, Verdict.RECORD, Verdict.ARMED, Verdict.NO
TOLD = Announce.OR_DO_NOT_RECORD


@dataclass(frozen=True)
class Case:
    """A situation and what is expected of its decision: verdict, rule, and any other of its fields."""

    name: str
    situation: Situation
    verdict: Verdict
    rule: int
    more: dict[str, Any]

    def check(self) -> None:
        """Raise AssertionError when the decision is another."""
        decision = self.situation.decide()
        wanted = {"verdict": self.verdict, "rule": self.rule, **self.more}
        found = {field: getattr(decision, field) for field in wanted}
        assert found == wanted, f"{self.name}: {[step.why for step in decision.trace if step.matched]}"


def case(name: str, situation: Situation, verdict: Verdict, rule: int, **more: Any) -> Case:
    """Return a case."""
    return Case(name, situation, verdict, rule, more)
