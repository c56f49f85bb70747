"""The consent IVR's script: asks the caller, writes the evidence, and only then lets the call be recorded.

The order is the promise: the evidence is durable before the call's mark says *given*. Whatever fails, the mark stays
*required*, the dialplan is sent to the branch for no, and the call goes on.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

import structlog
from asterisk.agi import AGIHangup

from pbx_plugin.asterisk import variables
from pbx_plugin.asterisk.agi import AgiConnectionLostError, AgiSession, PlaybackError
from pbx_plugin.domain import consent_ivr as ivr
from pbx_plugin.domain.call import Consent
from pbx_plugin.domain.entries import Audited, ConsentTaken
from pbx_plugin.domain.numbers import as_received, parse_number, region_of
from pbx_plugin.domain.rulebook import ConsentNumber, Rulebook
from pbx_plugin.prompts.library import PromptFile, PromptLibrary
from pbx_plugin.prompts.texts import base_language, language_name, question_name
from pbx_plugin.services.ports import Journal, JournalError

ACTOR = "consent IVR"
ACTION_NOT_ASKED = "consent not asked"

_YES = "yes"
_NO = "no"
_LONGEST_NUMBER = 80
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class _Call:
    """What Asterisk says of the call, cut to a bearable length: the caller chose some of it."""

    linkedid: str
    channel_id: str
    caller_raw: str


@dataclass(frozen=True, slots=True)
class _Answer:
    """``question`` is the one that the caller heard last: it is what was answered."""

    outcome: ivr.Outcome
    keys: str
    asked_at: datetime
    at: datetime
    question: PromptFile


@dataclass(frozen=True, slots=True)
class _Script:
    """What can be played to this caller. ``questions`` are by language, and never without the one to begin in."""

    number: ConsentNumber
    language: str
    questions: dict[str, PromptFile]

    @property
    def by_key(self) -> tuple[tuple[str, str], ...]:
        """Keys whose language has a question."""
        return tuple((key, language) for key, language in self.number.by_key if language in self.questions)


class ConsentScript:
    """Runs the consent IVR on one session after another; may be called by many threads at once.

    ``rulebook`` returns the snapshot in force or None while there is none; ``now`` the present time, aware, in UTC.
    """

    def __init__(
        self,
        rulebook: Callable[[], Rulebook | None],
        journal: Journal,
        prompts: PromptLibrary,
        now: Callable[[], datetime],
    ) -> None:
        self._rulebook = rulebook
        self._journal = journal
        self._prompts = prompts
        self._now = now

    def __call__(self, session: AgiSession) -> None:
        """Ask the caller on ``session``. Raises AGIHangup, and nothing else that the session itself does not raise."""
        # First of all the safe branch: whatever ends this script early, the dialplan finds it.
        session.set_variable(variables.ROUTE, _NO)
        consent = session.variable(variables.CONSENT)
        if consent in (Consent.REFUSED, Consent.WITHDRAWN):
            _log.info("consent.refused_before", channel=session.env.get("agi_uniqueid", ""))
            return
        if consent != Consent.REQUIRED:
            # A dialplan that did not mark the call, or a consent given to another number's question.
            _mark(session, Consent.REQUIRED)
        call = _call(session)
        number_id = (session.arguments or [""])[0]
        rulebook = self._rulebook()
        number = _number(rulebook, number_id)
        if rulebook is None or number is None:
            reason = "no rulebook" if rulebook is None else "unknown consent number"
            _log.error("consent.not_asked", reason=reason, number=number_id[:_LONGEST_NUMBER], linkedid=call.linkedid)
            return
        caller_e164 = _caller_e164(call, rulebook, number)
        script = self._script(number, region_of(caller_e164))
        if script is None:
            self._not_asked(call, number, "the prompt is missing: run 'pbx-plugin prompts build'")
            return
        try:
            answer = self._ask(session, script)
        except AgiConnectionLostError:
            self._not_asked(call, number, "the connection to Asterisk was lost")
            return
        if answer.outcome is ivr.Outcome.NOT_ASKED:
            changed = not self._prompts.is_there(answer.question)
            why = "was replaced or altered while it was heard" if changed else "cannot be played by Asterisk"
            self._not_asked(call, number, f"{answer.question.path} {why}")
            return
        evidence = _evidence(call, rulebook, number, caller_e164, answer)
        try:
            if answer.outcome is ivr.Outcome.REFUSED:
                # A no binds even if it cannot be written down.
                _mark(session, Consent.REFUSED)
        finally:
            written = self._written(evidence)
        if answer.outcome is not ivr.Outcome.HUNG_UP:
            self._conclude(session, evidence, written and answer.outcome is ivr.Outcome.GIVEN)

    def _script(self, number: ConsentNumber, region: str) -> _Script | None:
        """Return what can be played; None without a question in the caller's language or the number's own.

        A language that nobody has spoken the question in is neither begun in nor offered.
        """
        name = question_name(number)
        questions = {}
        for language in number.languages:
            sound = self._prompts.sound(language, name)
            if sound is not None and (language == number.language or sound.language == base_language(language)):
                questions[language] = sound
        first = next((one for one in (number.language_for(region), number.language) if one in questions), None)
        return _Script(number, first, questions) if first else None

    def _ask(self, session: AgiSession, script: _Script) -> _Answer:
        state, commands = ivr.start(script.number, script.language, script.by_key)
        question = script.questions[script.language]
        asked_at = self._now()
        try:
            session.answer()
        except AgiConnectionLostError:
            raise
        except AGIHangup:
            return _Answer(ivr.Outcome.HUNG_UP, "", asked_at, self._now(), question)
        while True:
            event: ivr.Event | None = None
            for command in commands:
                match command:
                    case ivr.Play() as play:
                        asked = play.prompt is ivr.Prompt.QUESTION
                        if asked:
                            question = script.questions[play.language]
                        event = self._play(session, play, question)
                        if asked and not isinstance(event, ivr.HungUp) and not self._prompts.is_there(question):
                            # Nobody knows what was heard: a yes to it proves nothing. A no binds all the same.
                            event = event if event == ivr.Digit(ivr.KEY_NO) else ivr.PlayFailed()
                    case ivr.Finish(outcome, keys):
                        return _Answer(outcome, keys, asked_at, self._now(), question)
            if event is None:
                raise RuntimeError("the consent IVR neither plays nor ends")
            state, commands = ivr.advance(state, event)

    def _play(self, session: AgiSession, play: ivr.Play, question: PromptFile) -> ivr.Event:
        sound = self._sound(play, question)
        if sound is None:
            return ivr.PlayFailed()
        try:
            key = session.get_key(sound.path, play.wait_ms)
        except AgiConnectionLostError:
            raise
        except AGIHangup:
            return ivr.HungUp()
        except PlaybackError:
            return ivr.PlayFailed()
        return ivr.Digit(key) if key else ivr.Silence()

    def _sound(self, play: ivr.Play, question: PromptFile) -> PromptFile | None:
        match play.prompt:
            case ivr.Prompt.QUESTION:
                return question
            case ivr.Prompt.LANGUAGE:
                offered = self._prompts.sound(play.language, language_name(play.key))
                # An offer in another language than the one it offers would be understood by the wrong callers.
                return offered if offered and offered.language == base_language(play.language) else None
        return self._prompts.sound(play.language, play.prompt)

    def _conclude(self, session: AgiSession, evidence: ConsentTaken, recordable: bool) -> None:
        session.set_variable(f"__{variables.EVIDENCE}", evidence.evidence_id)
        if recordable:
            _mark(session, Consent.GIVEN)
            session.set_variable(variables.ROUTE, _YES)
        last = ivr.Prompt.THANKS_YES if recordable else ivr.Prompt.THANKS_NO
        sound = self._prompts.sound(evidence.language, last)
        if sound is None:
            return
        try:
            session.play(sound.path)
        except PlaybackError as error:
            _log.warning("consent.closing_prompt_failed", reason=str(error))

    def _written(self, evidence: ConsentTaken) -> bool:
        try:
            self._journal.append(evidence)
        except JournalError as error:
            _log.error(
                "consent.evidence_not_written",
                reason=str(error),
                outcome=evidence.outcome,
                linkedid=evidence.linkedid,
            )
            return False
        _log.info("consent.taken", outcome=evidence.outcome, linkedid=evidence.linkedid, evidence=evidence.evidence_id)
        return True

    def _not_asked(self, call: _Call, number: ConsentNumber, reason: str) -> None:
        _log.error("consent.not_asked", reason=reason, number=number.number, linkedid=call.linkedid)
        entry = Audited(
            audit_id=str(uuid.uuid4()),
            tenant_id=number.tenant_id,
            at=self._now(),
            actor=ACTOR,
            action=ACTION_NOT_ASKED,
            subject=number.id,
            detail={"reason": reason, "linkedid": call.linkedid, "number": number.number},
        )
        try:
            self._journal.append(entry)
        except JournalError as error:
            _log.error("consent.audit_not_written", reason=str(error), linkedid=call.linkedid)


def _mark(session: AgiSession, consent: Consent) -> None:
    session.set_variable(f"__{variables.CONSENT}", consent.value)


def _call(session: AgiSession) -> _Call:
    caller = session.env.get("agi_callerid", "")
    return _Call(
        linkedid=session.variable(variables.LINKEDID) or session.env.get("agi_uniqueid", ""),
        channel_id=session.env.get("agi_uniqueid", ""),
        caller_raw="" if caller == "unknown" else as_received(caller),
    )


def _number(rulebook: Rulebook | None, number_id: str) -> ConsentNumber | None:
    numbers = rulebook.consent_numbers if rulebook else ()
    return next((number for number in numbers if number.id == number_id), None)


def _caller_e164(call: _Call, rulebook: Rulebook, number: ConsentNumber) -> str:
    tenant = rulebook.tenants.get(number.tenant_id)
    country = tenant.country if tenant else rulebook.policy_of(number.tenant_id).country
    return parse_number(call.caller_raw, country).e164


def _evidence(
    call: _Call, rulebook: Rulebook, number: ConsentNumber, caller_e164: str, answer: _Answer
) -> ConsentTaken:
    question = answer.question
    return ConsentTaken(
        evidence_id=str(uuid.uuid4()),
        tenant_id=number.tenant_id,
        linkedid=call.linkedid,
        channel_id=call.channel_id,
        consent_number=number.number,
        caller_raw=call.caller_raw,
        caller_e164=caller_e164,
        asked_at=answer.asked_at,
        at=answer.at,
        outcome=answer.outcome.value,
        digits=answer.keys,
        language=question.language,
        prompt=question.name,
        prompt_sha256=question.sha256,
        text_version=question.text_version,
        # What this caller was told, which an older prompt may put differently from the number's setting of today.
        keep_days=question.keep_days,
        policy_version=rulebook.policy_of(number.tenant_id).number,
    )
