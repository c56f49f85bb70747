"""Everything about why a call was or was not recorded, as plain data with the words for it.

Command line, REST interface and portal ask here, so that all of them say the same of the same call.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from pbx_plugin.domain.beeping import TONE_BEEP, beep_which
from pbx_plugin.domain.entries import (
    CallBegan,
    CallEnded,
    CallMerged,
    ConsentTaken,
    Decided,
    Entry,
    Gap,
    RecordingIntended,
)
from pbx_plugin.domain.explain import explain
from pbx_plugin.domain.telling import heard_which

Data = dict[str, Any]
_TOLD = frozenset({"announcement", TONE_BEEP})
_PRESSED = frozenset({"toggle", "pause", "withdrawal"})
_DECISION = ("verdict", "rule", "rule_name", "policy_version", "facts", "trace")


def explain_call(detail: Mapping[str, Any], names: Mapping[str, str]) -> Data:
    """Return why a call was or was not recorded.

    ``detail`` is a call with its decisions, time line, consents, recordings and gaps, each as a mapping (the database's
    CallDetail by ``dataclasses.asdict``); ``names`` are what people call the ids of groups and departments. The answer
    has ``call``, ``words`` (of the call as a whole: what began it, what came of it), ``decisions`` (each as it was
    stored, with ``words`` and ``recorded``), ``announcements`` and ``codes`` (steps of the time line; of what was heard
    with ``language``, ``text_version`` and ``prompt_sha256``, empty where that is not known), ``consents``,
    ``recordings`` and ``gaps`` (what became of the decisions).
    """
    call = detail["call"]
    decisions = [
        {**decision, "words": explain(**{key: decision[key] for key in _DECISION}, names=names)}
        for decision in detail["decisions"]
    ]
    steps = [dict(step) for step in detail["timeline"]]
    return {
        "call": dict(call),
        "words": _of_the_call(call, detail),
        "decisions": decisions,
        "announcements": [_announced(step) for step in steps if step["what"] in _TOLD],
        "codes": [step for step in steps if step["what"] in _PRESSED],
        "consents": [dict(consent) for consent in detail["consents"]],
        "recordings": [dict(recording) for recording in detail["recordings"]],
        "gaps": [dict(gap) for gap in detail["gaps"]],
    }


def explain_untold(entries: Sequence[Entry], name: str, tenant_id: str, names: Mapping[str, str]) -> Data | None:
    """Return the same of a call that the database does not know yet, from what the journals hold of it.

    The call is found by its id or linkedid, and only where it is said to be this company's; None where it is not there.
    """
    began = [entry for entry in entries if isinstance(entry, CallBegan) and entry.tenant_id == tenant_id]
    found = next((entry for entry in began if name in (entry.call_id, entry.linkedid)), None)
    if found is None:
        return None
    own = [entry for entry in entries if getattr(entry, "call_id", "") == found.call_id]
    merged = [e for e in entries if isinstance(e, CallMerged) and e.from_call_id == found.call_id]
    ended = next((entry for entry in own if isinstance(entry, CallEnded)), None)
    decisions = [_as_data(entry) for entry in own if isinstance(entry, Decided)]
    gaps = {entry.gap_id: _as_data(entry) for entry in own if isinstance(entry, Gap)}
    detail = {
        "call": {
            **_as_data(found),
            "began_at": found.at,
            "ended_at": ended.at if ended else None,
            "outcome": ended.outcome if ended else "",
            "merged_into": merged[-1].call_id if merged else "",
        },
        "decisions": decisions,
        "timeline": [
            {"at": entry.at, "what": entry.what, "detail": entry.detail, "channel_id": entry.channel_id}
            for entry in own
            if entry.kind == "leg moved"
        ],
        "consents": [
            {key: value for key, value in _as_data(entry).items() if key != "tenant_id"}
            for entry in entries
            if isinstance(entry, ConsentTaken) and (entry.linkedid, entry.tenant_id) == (found.linkedid, tenant_id)
        ],
        "recordings": [_as_data(e) | {"state": "not told yet"} for e in own if isinstance(e, RecordingIntended)],
        "gaps": list(gaps.values()),
    }
    told = explain_call(detail, names)
    told["words"].append("All this is from the journal: the database has not been told of this call yet.")
    return told


def _announced(step: Data) -> Data:
    which = beep_which if step["what"] == TONE_BEEP else heard_which
    heard = which(step["detail"])
    return {
        **step,
        "language": heard.language if heard else "",
        "text_version": heard.text_version if heard else "",
        "prompt_sha256": heard.sha256 if heard else "",
    }


def _of_the_call(call: Mapping[str, Any], detail: Mapping[str, Any]) -> list[str]:
    words = [f"Policy version {call['policy_version']} was in force when the call began."]
    if call["off_at_start"] and not detail["decisions"]:
        words.append("Recording was off when the call began.")
    if not detail["decisions"]:
        words.append(_why_undecided(call))
    words += [_what_became(recording) for recording in detail["recordings"]]
    words += [_what_is_missing(gap) for gap in detail["gaps"]]
    words += _how_it_beeped([step["detail"] for step in detail["timeline"] if step["what"] == TONE_BEEP])
    verdicts = {decision["verdict"] for decision in detail["decisions"]}
    if "record" in verdicts and not detail["recordings"] and not detail["gaps"]:
        words.append("A recording was due, and neither a recording nor a gap is known: it may not have begun yet.")
    return words


def _why_undecided(call: Mapping[str, Any]) -> str:
    if call.get("merged_into"):
        return f"Nothing was decided before it became part of call {call['merged_into']}: see there."
    if call["outcome"] == "not answered":
        return "Nobody answered: nothing was decided."
    if call["ended_at"] is not None or call["outcome"]:
        return "It was answered, but by no user of the company (no decided user): nothing was decided."
    return "Nobody has answered yet, or no user of the company: nothing is decided."


def _what_became(recording: Mapping[str, Any]) -> str:
    who = recording["user_name"] or recording["user_id"]
    why = recording.get("fail_reason") or recording.get("close_reason")
    because = f" ({why})" if why else ""
    name = recording["recording_id"][:8]
    return f"Recording {name} of {who} from {_clock(recording['at'])}: {recording['state']}{because}."


def _what_is_missing(gap: Mapping[str, Any]) -> str:
    who = gap.get("user_name") or gap["user_id"]
    until = f"to {_clock(gap['until'])}" if gap["until"] else "and still"
    return f"Not recorded of {who} from {_clock(gap['since'])} {until}: {gap['reason']}."


def _how_it_beeped(beeps: Sequence[str]) -> list[str]:
    if not beeps:
        return []
    heard = [detail.partition(": ")[2].partition(",")[0] for detail in beeps if not detail.startswith("not heard")]
    settings = ", ".join(dict.fromkeys(setting for setting in heard if setting))
    words = f"The beep was played {len(heard)} times{f' ({settings})' if settings else ''}, each to one party."
    return [f"{words} It could not be played {len(beeps) - len(heard)} times." if len(heard) < len(beeps) else words]


def _clock(at: datetime) -> str:
    return f"{at:%H:%M:%S} UTC"


def _as_data(entry: Any) -> Data:
    return {name: getattr(entry, name) for name in entry.__dataclass_fields__ if name != "kind"}
