"""Decisions as plain data for the journal and the database, and that data in plain words.

The words are made from the data, not from the decision, so that *explain* says of last year's call what was known then.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from pbx_plugin.domain.call import Consent, ConsentBy, Direction, Marks, Mode, Number, Party, Switch, User
from pbx_plugin.domain.decision import Decision, Facts
from pbx_plugin.domain.entries import Decided
from pbx_plugin.domain.policy import Announce

Data = dict[str, Any]
LAST_RULE = 13

_HAPPENED = {
    "record": "to be recorded",
    "armed": "not recorded, unless the user switches it on",
    "no": "not recorded",
    "never": "must not be recorded",
}
_CONSENT = {
    Consent.NOT_REQUIRED: "not required",
    Consent.REQUIRED: "required, and not given",
    Consent.GIVEN: "given",
    Consent.REFUSED: "refused",
    Consent.WITHDRAWN: "withdrawn",
}
_SWITCH = {
    Switch.UNTOUCHED: "not touched",
    Switch.ON: "switched on by the user",
    Switch.OFF: "switched off by the user",
}
_ANNOUNCE = {
    Announce.OR_DO_NOT_RECORD: "the other side must be told before anything is recorded, or nothing is",
    Announce.BEST_EFFORT: "the other side is told before recording if that is possible",
    Announce.NONE: "the other side has not consented and is not told, by the company's own setting",
}


def facts_as_dict(facts: Facts) -> Data:
    """Return the facts as JSON-able data of a stable shape; :func:`facts_from_dict` reads it back whole."""
    return {
        "user": _user_as_dict(facts.user),
        "direction": facts.direction.value,
        "others": [
            {"number": _number_as_dict(party.number), "user": _user_as_dict(party.user) if party.user else None}
            for party in facts.others
        ],
        "ddi": _number_as_dict(facts.ddi),
        "dialled": _number_as_dict(facts.dialled),
        "marks": {
            "consent": facts.marks.consent.value,
            "consent_by": facts.marks.consent_by.value,
            "evidence_id": facts.marks.evidence_id,
            "presented_to": list(facts.marks.presented_to),
        },
        "switch": facts.switch.value,
        "off_at_start": facts.off_at_start,
        "off_why": facts.off_why,
        "announced": facts.announced,
        "excluded": facts.excluded,
        "consented": facts.consented,
    }


def facts_from_dict(data: Mapping[str, Any]) -> Facts:
    """Return the facts that :func:`facts_as_dict` wrote, so that a call of the past can be decided anew (dry run).

    Raises KeyError or ValueError for data of another shape, or with words that this version does not know.
    """
    marks = data["marks"]
    return Facts(
        user=_user_from_dict(data["user"]),
        direction=Direction(data["direction"]),
        others=tuple(
            Party(Number(**party["number"]), _user_from_dict(party["user"]) if party["user"] else None)
            for party in data["others"]
        ),
        ddi=Number(**data["ddi"]),
        dialled=Number(**data["dialled"]),
        marks=Marks(
            Consent(marks["consent"]),
            ConsentBy(marks["consent_by"]),
            marks["evidence_id"],
            tuple(marks["presented_to"]),
        ),
        switch=Switch(data["switch"]),
        off_at_start=data["off_at_start"],
        announced=data["announced"],
        excluded=data["excluded"],
        off_why=data.get("off_why", ""),
        consented=data.get("consented"),
    )


def trace_as_list(decision: Decision) -> list[Data]:
    """Return the trace as JSON-able data. Each step has ``rule``, ``name``, ``matched`` and ``why``.

    The last step is the rule that won and has more: ``may`` (what the user's codes may do), the ``consent`` in force
    with ``consent_by`` and ``proven``, ``announce`` and ``deletable_by_hand``.
    """
    steps: list[Data] = [
        {"rule": step.rule, "name": step.name, "matched": step.matched, "why": step.why} for step in decision.trace
    ]
    allowed = {
        "switch on": decision.may_switch_on,
        "switch off": decision.may_switch_off,
        "pause": decision.may_pause,
    }
    steps[-1] |= {
        "may": [deed for deed, may in allowed.items() if may],
        "consent": decision.consent.value,
        "consent_by": decision.consent_by.value,
        "proven": decision.consent_proven,
        "announce": decision.announce.value if decision.announce else "",
        "deletable_by_hand": decision.deletable_by_hand,
    }
    return steps


def explain_entry(entry: Decided, names: Mapping[str, str] | None = None) -> list[str]:
    """Return :func:`explain` of a journal entry."""
    return explain(
        verdict=entry.verdict,
        rule=entry.rule,
        rule_name=entry.rule_name,
        policy_version=entry.policy_version,
        facts=entry.facts,
        trace=entry.trace,
        names=names,
    )


def explain(
    *,
    verdict: str,
    rule: int,
    rule_name: str,
    policy_version: int,
    facts: Mapping[str, Any],
    trace: Sequence[Mapping[str, Any]],
    names: Mapping[str, str] | None = None,
) -> list[str]:
    """Return a stored decision in plain English, a sentence a line, the rules passed over last.

    ``names`` are what people call the ids in the reasons (hunt groups); an id without a name is shown as it is.
    """
    known = names or {}
    won = trace[-1]
    lines = [
        f"Recording of {_person(facts['user'])} on {_call(facts)}: {_HAPPENED.get(verdict, verdict)}.",
        f"Rule {rule} ({rule_name}) decided, under policy version {policy_version}: {_named(won['why'], known)}.",
        f"Consent: {_consent(facts, won)}.",
        f"Switch: {_toggle(facts, won)}.",
        f"Announcement: {_announcement(verdict, facts, won)}.",
    ]
    if not won["deletable_by_hand"]:
        lines.append("A recording of this call cannot be deleted by hand.")
    passed = (
        f"Rule {step['rule']} ({step['name']}) did not match: {_named(step['why'], known)}." for step in trace[:-1]
    )
    lines += passed
    if rule < LAST_RULE:
        rest = f"Rule {LAST_RULE} was" if rule + 1 == LAST_RULE else f"Rules {rule + 1} to {LAST_RULE} were"
        lines.append(f"{rest} not asked: the first rule that matches decides.")
    return lines


def _named(why: str, names: Mapping[str, str]) -> str:
    """Return the reason with every id that has a name replaced by it, in one pass: no name is read as an id."""
    known = sorted(filter(None, names), key=len, reverse=True)
    if not known:
        return why
    pattern = re.compile(rf"(?<!\w)(?:{'|'.join(map(re.escape, known))})(?!\w)")
    return pattern.sub(lambda found: names[found.group()], why)


def _person(user: Mapping[str, Any]) -> str:
    return f"{user['name'] or user['id']} ({user['extension']}, mode {user['mode']})"


def _call(facts: Mapping[str, Any]) -> str:
    others = " and ".join(_party(party) for party in facts["others"]) or "nobody known"
    toward = {Direction.INCOMING: "from", Direction.OUTGOING: "to", Direction.INTERNAL: "with"}
    direction = Direction(facts["direction"])
    ddi = facts["ddi"]["e164"] or facts["ddi"]["raw"]
    through = f", dialled as {ddi}" if ddi else ""
    return f"an {direction} call {toward[direction]} {others}{through}"


def _party(party: Mapping[str, Any]) -> str:
    if party["user"]:
        return _person(party["user"])
    return str(party["number"]["e164"] or party["number"]["raw"] or "a hidden number")


def _consent(facts: Mapping[str, Any], won: Mapping[str, Any]) -> str:
    words = _CONSENT[Consent(won["consent"])]
    if won["consent"] == Consent.NOT_REQUIRED:
        return words
    if won["consent"] == Consent.GIVEN and not won["proven"]:
        return f"{words}, unproven ({won['consent_by']})"
    evidence = facts["marks"]["evidence_id"]
    asked = f" (asked by {won['consent_by']})" if won["consent_by"] != ConsentBy.NOBODY else ""
    return f"{words}{asked}, evidence {evidence}" if evidence else f"{words}{asked}"


def _toggle(facts: Mapping[str, Any], won: Mapping[str, Any]) -> str:
    may = " and ".join(won["may"])
    return f"{_SWITCH[Switch(facts['switch'])]}; the user may {may or 'not change it'}"


def _announcement(verdict: str, facts: Mapping[str, Any], won: Mapping[str, Any]) -> str:
    if won["announce"]:
        return _ANNOUNCE[Announce(won["announce"])]
    if facts["announced"]:
        return "the other side was told"
    return "none needed" if verdict in ("record", "armed") else "none, as nothing is recorded"


def _user_as_dict(user: User) -> Data:
    return {
        "id": user.id,
        "tenant_id": user.tenant_id,
        "name": user.name,
        "extension": user.extension,
        "mode": str(user.mode),
        "enrolled": user.enrolled,
        "department_id": user.department_id,
        "ddi": user.ddi,
        "devices": list(user.devices),
        "may_pause": user.may_pause,
        "language": user.language,
    }


def _user_from_dict(data: Mapping[str, Any]) -> User:
    return User(**{**data, "mode": Mode(data["mode"]), "devices": tuple(data["devices"])})


def _number_as_dict(number: Number) -> Data:
    return {"raw": number.raw, "e164": number.e164}
