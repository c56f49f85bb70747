"""The consent script as Asterisk meets it: over a socket, from the first header to the closed connection."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from agi_asterisk import GARBAGE, HANGS_UP, LOST, SILENCE, UNPLAYABLE, SpokenAsterisk

from pbx_plugin.agi.consent import ACTION_NOT_ASKED
from pbx_plugin.agi.service import AgiService
from pbx_plugin.asterisk.agi import AgiSession
from pbx_plugin.domain.entries import Audited, ConsentTaken, Entry
from pbx_plugin.domain.policy import PolicyVersion
from pbx_plugin.domain.rulebook import ConsentNumber, Rulebook, Tenant
from pbx_plugin.prompts.library import ManifestEntry, PromptLibrary, manifest_text
from pbx_plugin.services.ports import JournalError, StoreUnavailableError
from pbx_plugin.settings import Agi, Recorder, Settings

BEGAN = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
NUMBER = ConsentNumber("n1", "acme", "800", "da-DK", "yes-group", "no-group", keep_days=30, tries=3, timeout_ms=4000)
RULEBOOK = Rulebook(
    revision=1,
    tenants={"acme": Tenant("acme", "Acme", "DK")},
    consent_numbers=(NUMBER,),
    policies={"acme": PolicyVersion("acme", 12)},
)
SOUND = b"RIFF"
SOUND_SHA256 = hashlib.sha256(SOUND).hexdigest()
GIVEN = 'SET VARIABLE "__PBXREC_CONSENT" "given"'


class Clock:
    """Says one second later at every question."""

    def __init__(self) -> None:
        self.at = BEGAN

    def __call__(self) -> datetime:
        self.at += timedelta(seconds=1)
        return self.at


class Journal:
    """Keeps entries, in the same list as Asterisk its commands; refuses when told to."""

    def __init__(self) -> None:
        self.timeline: list[object] = []
        self.error: Exception | None = None

    def append(self, *entries: Entry) -> int:
        if self.error is not None:
            raise self.error
        self.timeline += entries
        return len(self.timeline)

    def wait_applied(self, position: int, timeout: float) -> bool:
        return True

    def consents(self) -> list[ConsentTaken]:
        return [entry for entry in self.timeline if isinstance(entry, ConsentTaken)]

    def audits(self) -> list[Audited]:
        return [entry for entry in self.timeline if isinstance(entry, Audited)]


class Source:
    """A database with this rulebook, or away."""

    def __init__(self, rulebook: Rulebook | None) -> None:
        self.rulebook = rulebook

    def revision(self) -> int:
        return self.load().revision

    def load(self) -> Rulebook:
        if self.rulebook is None:
            raise StoreUnavailableError("database is locked")
        return self.rulebook


def write_prompts(folder: Path, more: tuple[str, ...] = (), content: bytes = SOUND) -> None:
    """Lay down prompts without speaking them: what counts here is which file is played."""
    told = {"da/consent-n1": 7, "da/again-wrong": 0, "en/again-silence": 0, "en/thanks-yes": 0, "en/thanks-no": 0}
    told |= {key: 7 if "consent" in key else 0 for key in more}
    for key in told:
        (folder / key).parent.mkdir(parents=True, exist_ok=True)
        (folder / f"{key}.wav").write_bytes(content)
    sha256 = hashlib.sha256(content).hexdigest()
    built = {key: ManifestEntry("…", "2026-1", key[:2], sha256, "espeak-ng", days, "") for key, days in told.items()}
    (folder / "manifest.json").write_text(manifest_text(built), encoding="utf-8")


class Site:
    """A running AGI service with everything a call needs."""

    def __init__(self, folder: Path, rulebook: Rulebook | None = RULEBOOK) -> None:
        self.prompts = folder / "prompts"
        write_prompts(self.prompts)
        self.journal = Journal()
        self.source = Source(rulebook)
        settings = Settings(agi=Agi(port=0), recorder=Recorder(rulebook_refresh=0.02))
        self.service = AgiService(settings, self.source, self.journal, PromptLibrary(self.prompts), Clock())

    def call(self, *caller: str, number: str = "n1", consent: str = "required", **headers: str) -> SpokenAsterisk:
        marks = {"PBXREC_CONSENT": consent} if consent else {}
        asterisk = SpokenAsterisk(
            self.service.address, "consent", number,
            caller=caller, variables=marks, headers=headers, timeline=self.journal.timeline,
        )  # fmt: skip
        return asterisk.run()


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    running = Site(tmp_path)
    running.service.start()
    yield running
    running.service.stop()


def assert_not_recordable(asterisk: SpokenAsterisk, consent: str = "required") -> None:
    assert asterisk.variables["PBXREC_CONSENT"] == consent
    assert asterisk.variables["PBXREC_ROUTE"] == "no"
    assert GIVEN not in asterisk.timeline


def test_a_caller_who_presses_1_has_consented(site: Site) -> None:
    asterisk = site.call("1")

    assert asterisk.variables["PBXREC_CONSENT"] == "given"
    assert asterisk.variables["PBXREC_ROUTE"] == "yes"
    assert asterisk.inherited >= {"PBXREC_CONSENT", "PBXREC_EVIDENCE"}
    (evidence,) = site.journal.consents()
    assert asterisk.variables["PBXREC_EVIDENCE"] == evidence.evidence_id
    assert asterisk.played == [f"{site.prompts}/da/consent-n1", f"{site.prompts}/en/thanks-yes"]


def test_the_evidence_says_everything_that_must_be_provable(site: Site) -> None:
    asterisk = site.call("7", SILENCE, "1")

    (evidence,) = site.journal.consents()
    assert evidence == ConsentTaken(
        evidence_id=asterisk.variables["PBXREC_EVIDENCE"],
        tenant_id="acme",
        linkedid="1760000000.1",
        channel_id="1760000000.7",
        consent_number="800",
        caller_raw="+4531200118",
        caller_e164="+4531200118",
        asked_at=BEGAN + timedelta(seconds=1),
        at=BEGAN + timedelta(seconds=2),
        outcome="given",
        digits="71",
        language="da",
        prompt="consent-n1",
        prompt_sha256=SOUND_SHA256,
        text_version="2026-1",
        keep_days=7,
        policy_version=12,
    )


def test_the_evidence_is_durable_before_the_call_may_be_recorded(site: Site) -> None:
    site.call("1")

    timeline = site.journal.timeline
    written = timeline.index(site.journal.consents()[0])
    assert written < timeline.index(GIVEN)
    assert written < timeline.index('SET VARIABLE "PBXREC_ROUTE" "yes"')


@pytest.mark.parametrize("error", [JournalError("no space left"), OSError("disk gone")])
def test_a_yes_that_cannot_be_written_down_is_no_consent(site: Site, error: Exception) -> None:
    site.journal.error = error

    assert_not_recordable(site.call("1"))


def test_a_caller_hears_that_nothing_is_recorded_when_the_yes_could_not_be_written_down(site: Site) -> None:
    site.journal.error = JournalError("no space left")

    assert site.call("1").played[-1] == f"{site.prompts}/en/thanks-no"


def test_a_caller_who_presses_2_has_refused(site: Site) -> None:
    asterisk = site.call("2")

    assert_not_recordable(asterisk, "refused")
    assert "PBXREC_CONSENT" in asterisk.inherited
    (evidence,) = site.journal.consents()
    assert (evidence.outcome, evidence.digits) == ("refused", "2")
    assert asterisk.variables["PBXREC_EVIDENCE"] == evidence.evidence_id


@pytest.mark.parametrize("error", [JournalError("no space left"), OSError("disk gone")])
def test_a_no_binds_even_when_it_cannot_be_written_down(site: Site, error: Exception) -> None:
    site.journal.error = error

    assert_not_recordable(site.call("2"), "refused")


@pytest.mark.parametrize(
    ("caller", "outcome", "keys"),
    [
        (("8", SILENCE, "9", SILENCE, "#"), "wrong key", "89#"),
        ((SILENCE,) * 5, "silent", ""),
        ((HANGS_UP,), "hung up", ""),
        (("5", HANGS_UP), "hung up", "5"),
    ],
)
def test_a_caller_who_does_not_answer_has_not_consented(
    site: Site, caller: tuple[str, ...], outcome: str, keys: str
) -> None:
    assert_not_recordable(site.call(*caller))

    (evidence,) = site.journal.consents()
    assert (evidence.outcome, evidence.digits) == (outcome, keys)


def test_nothing_more_is_said_to_a_caller_who_hung_up(site: Site) -> None:
    asterisk = site.call("5", HANGS_UP)

    assert asterisk.timeline[-2:] == ["CHANNEL STATUS", site.journal.consents()[0]]


def test_a_caller_who_is_gone_before_the_question_hung_up_and_was_not_silent(site: Site) -> None:
    asterisk = SpokenAsterisk(site.service.address, "consent", "n1", variables={"PBXREC_CONSENT": "required"})
    asterisk.alive = False

    assert_not_recordable(asterisk.run())
    assert [(one.outcome, one.digits) for one in site.journal.consents()] == [("hung up", "")]


def test_a_wrong_key_is_answered_in_the_number_s_language_and_silence_in_english_for_want_of_it(site: Site) -> None:
    asterisk = site.call("8", SILENCE, SILENCE, "1")

    played = [path.removeprefix(f"{site.prompts}/") for path in asterisk.played]
    assert played == ["da/consent-n1", "da/again-wrong", "da/consent-n1", "en/again-silence", "en/thanks-yes"]


def test_the_wait_for_a_key_is_the_number_s_own(site: Site) -> None:
    asterisk = site.call("1")

    assert f'GET DATA "{site.prompts}/da/consent-n1" 4000 1' in asterisk.timeline


def test_a_caller_who_refused_before_is_not_asked_again(site: Site) -> None:
    asterisk = site.call(consent="refused")

    assert_not_recordable(asterisk, "refused")
    assert asterisk.played == []
    assert site.journal.consents() == []


@pytest.mark.parametrize("consent", ["given", ""])
def test_a_call_that_came_unmarked_or_with_another_consent_must_consent_here(site: Site, consent: str) -> None:
    asterisk = site.call(*[SILENCE] * 5, consent=consent)

    assert_not_recordable(asterisk)
    assert "PBXREC_CONSENT" in asterisk.inherited


def test_who_took_their_consent_back_is_not_asked_again_on_that_call(site: Site) -> None:
    asterisk = site.call("1", consent="withdrawn")

    assert asterisk.played == []
    assert_not_recordable(asterisk, "withdrawn")


@pytest.mark.parametrize(("key", "consent"), [("1", "required"), ("2", "refused")])
def test_a_question_that_is_built_anew_while_it_is_heard_proves_no_yes(
    site: Site, monkeypatch: pytest.MonkeyPatch, key: str, consent: str
) -> None:
    heard = AgiSession.get_key

    def built_meanwhile(session: AgiSession, path: str, wait_ms: int) -> str:
        answer = heard(session, path, wait_ms)
        write_prompts(site.prompts, content=b"RIFF other words")
        return answer

    monkeypatch.setattr(AgiSession, "get_key", built_meanwhile)
    asterisk = site.call(key)

    assert_not_recordable(asterisk, consent)
    if key == "1":
        assert site.journal.consents() == []
        (audit,) = site.journal.audits()
        assert "replaced" in audit.detail["reason"]


def test_the_safe_branch_is_set_before_anything_can_go_wrong(site: Site) -> None:
    asterisk = site.call("1")

    assert asterisk.timeline[0] == 'SET VARIABLE "PBXREC_ROUTE" "no"'


@pytest.mark.parametrize("number", ["n2", "", '"; rm', "n1\\"])
def test_an_unknown_consent_number_asks_nobody(site: Site, number: str) -> None:
    asterisk = site.call(number=number)

    assert_not_recordable(asterisk)
    assert asterisk.played == []


def test_a_missing_prompt_asks_nobody_and_leaves_a_trace(site: Site) -> None:
    (site.prompts / "da/consent-n1.wav").unlink()

    assert_not_recordable(site.call("1"))
    (audit,) = site.journal.audits()
    assert (audit.tenant_id, audit.action, audit.subject) == ("acme", ACTION_NOT_ASKED, "n1")
    assert audit.detail["linkedid"] == "1760000000.1"


def test_a_prompt_that_was_altered_after_the_build_proves_nothing_and_is_not_played(site: Site) -> None:
    (site.prompts / "da/consent-n1.wav").write_bytes(b"RIFF other words")

    asterisk = site.call("1")

    assert_not_recordable(asterisk)
    assert asterisk.played == []


def test_a_prompt_that_asterisk_cannot_play_is_not_silence(site: Site) -> None:
    assert_not_recordable(site.call(UNPLAYABLE))

    assert site.journal.consents() == []
    assert [audit.action for audit in site.journal.audits()] == [ACTION_NOT_ASKED]


def test_a_connection_that_breaks_is_not_a_caller_who_hung_up(site: Site) -> None:
    assert_not_recordable(site.call(LOST))
    site.service.stop()

    assert site.journal.consents() == []
    assert [audit.action for audit in site.journal.audits()] == [ACTION_NOT_ASKED]


def test_garbage_from_asterisk_is_no_consent_and_the_next_caller_is_served(site: Site) -> None:
    assert_not_recordable(site.call(GARBAGE))

    assert site.call("1").variables["PBXREC_CONSENT"] == "given"


@pytest.mark.parametrize(
    ("caller", "raw", "e164"),
    [
        ("31200118", "31200118", "+4531200118"),
        ("unknown", "", ""),
        ("", "", ""),
        ('"; DROP', '"; DROP', ""),
        ("9" * 500, "9" * 254 + "…", ""),
    ],
)
def test_whatever_a_caller_calls_themselves_is_kept_as_it_came(site: Site, caller: str, raw: str, e164: str) -> None:
    site.call("1", agi_callerid=caller)

    (evidence,) = site.journal.consents()
    assert (evidence.caller_raw, evidence.caller_e164) == (raw, e164)


def test_a_caller_named_hangup_is_no_hangup(site: Site) -> None:
    assert site.call("1", agi_callerid="hangup").variables["PBXREC_CONSENT"] == "given"


def test_without_a_rulebook_nobody_is_asked_and_with_one_everybody(tmp_path: Path) -> None:
    site = Site(tmp_path, rulebook=None)
    site.service.start()
    try:
        assert_not_recordable(site.call("1"))
        site.source.rulebook = RULEBOOK
        until = time.monotonic() + 5
        while site.call("1").variables["PBXREC_CONSENT"] != "given":
            assert time.monotonic() < until
    finally:
        site.service.stop()


SPOKEN = (
    "sv/consent-n1",
    "sv/thanks-yes",
    "sv/again-wrong",
    "en/consent-n1",
    "en/language-9",
    "sv/language-8",
    "da/language-7",
)


@pytest.fixture
def polyglot(tmp_path: Path) -> Iterator[Site]:
    """A Danish number that speaks Swedish to Swedes, and lets keys choose English, Swedish, Danish and Finnish."""
    keys = (("9", "en"), ("8", "sv"), ("7", "da"), ("6", "fi"))
    number = replace(NUMBER, language="da", by_country=(("SE", "sv"), ("FI", "fi")), by_key=keys)
    running = Site(tmp_path, replace(RULEBOOK, consent_numbers=(number,)))
    write_prompts(running.prompts, SPOKEN)
    running.service.start()
    yield running
    running.service.stop()


def heard(site: Site, asterisk: SpokenAsterisk) -> list[str]:
    return [path.removeprefix(f"{site.prompts}/") for path in asterisk.played]


@pytest.mark.parametrize(
    ("caller", "language"),
    [
        ("+46701234567", "sv"),
        ("0046701234567", "sv"),
        ("+4531200118", "da"),
        ("31200118", "da"),
        ("", "da"),
        ("anonymous", "da"),
        # A language in which nobody has spoken the question.
        ("+358401234567", "da"),
    ],
)
def test_a_caller_hears_the_language_of_their_country(polyglot: Site, caller: str, language: str) -> None:
    asterisk = polyglot.call(SILENCE, SILENCE, "1", agi_callerid=caller)

    assert [path for path in heard(polyglot, asterisk) if "consent" in path] == [f"{language}/consent-n1"]
    (evidence,) = polyglot.journal.consents()
    assert (evidence.language, evidence.outcome) == (language, "given")


def test_each_language_is_offered_in_itself_and_the_one_spoken_is_not(polyglot: Site) -> None:
    asterisk = polyglot.call(SILENCE, SILENCE, "1", agi_callerid="+46701234567")

    assert heard(polyglot, asterisk) == ["en/language-9", "da/language-7", "sv/consent-n1", "sv/thanks-yes"]


def test_a_key_chooses_the_language_and_the_evidence_names_what_was_heard_in_it(polyglot: Site) -> None:
    asterisk = polyglot.call("8", "5", SILENCE, "1")

    assert heard(polyglot, asterisk) == [
        "en/language-9", "sv/consent-n1", "sv/again-wrong", "sv/consent-n1", "sv/thanks-yes",
    ]  # fmt: skip
    (evidence,) = polyglot.journal.consents()
    assert (evidence.language, evidence.digits, evidence.prompt_sha256) == ("sv", "851", SOUND_SHA256)


def test_a_yes_before_the_question_was_heard_is_no_consent(polyglot: Site) -> None:
    assert_not_recordable(polyglot.call("1", HANGS_UP))
    (evidence,) = polyglot.journal.consents()
    assert (evidence.outcome, evidence.digits) == ("hung up", "1")


def test_an_offer_that_is_missing_is_passed_over(polyglot: Site) -> None:
    (polyglot.prompts / "sv/language-8.wav").unlink()
    asterisk = polyglot.call(SILENCE, "1")

    assert heard(polyglot, asterisk) == ["en/language-9", "da/consent-n1", "en/thanks-yes"]


def test_without_the_question_in_the_caller_s_language_it_is_put_in_the_number_s_own(polyglot: Site) -> None:
    (polyglot.prompts / "sv/consent-n1.wav").unlink()
    asterisk = polyglot.call(SILENCE, "8", "1", agi_callerid="+46701234567")

    # Nobody can choose it either: 8 is a wrong key now.
    assert heard(polyglot, asterisk)[:2] == ["en/language-9", "da/consent-n1"]
    (evidence,) = polyglot.journal.consents()
    assert evidence.language == "da"
