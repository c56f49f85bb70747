"""All cases. Tables are functions, built anew at each call, so that a mutant in the code under them is felt."""

from __future__ import annotations

from decision_case import Case
from decision_edges import announcement_cases, never_cases, record_cases
from decision_examples import worked_examples
from decision_rules import each_rule


def all_cases() -> list[Case]:
    """Return every case."""
    return worked_examples() + each_rule() + never_cases() + record_cases() + announcement_cases()
