"""The calls as a person sees them afterwards: story, decisions, consent, recordings and a picture of their sound."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path

from rich.console import Console
from rich.padding import Padding
from rich.panel import Panel
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from pbx_plugin.db.views import CallDetail, ConsentView, DecisionView, RecordingView
from pbx_plugin.domain.explain import explain
from pbx_plugin.domain.telling import BEGINS, HEARD
from pbx_plugin.prompts.library import read_manifest
from pbx_plugin.sandbox.demo_cast import spoken
from pbx_plugin.sandbox.demo_checks import Claim
from pbx_plugin.sandbox.demo_watch import VERDICTS
from pbx_plugin.sandbox.demo_wave import picture, strip
from pbx_plugin.sandbox.listening import read_audio
from pbx_plugin.settings import Settings

PASSED_OVER = "did not match"
INDENT = 2
ANNOUNCEMENT = {
    BEGINS: "the caller is told: “this call is recorded”",
    HEARD: "the caller has heard it",
}


class Show:
    """Prints calls on a console; ``listen`` gives the path under which a person finds a recording."""

    def __init__(self, console: Console, settings: Settings, names: Mapping[str, str]) -> None:
        self._console = console
        self._settings = settings
        self._names = names

    def call(self, number: int, title: str, call: CallDetail, listen: Mapping[str, Path]) -> None:
        """Print everything about one call."""
        self._console.print()
        self._console.print(Rule(Text(f" Call {number}: {title} ", "bold"), style="blue", align="left"))
        self._story(call)
        self._decisions(call)
        for consent in call.consents:
            self._consent(consent)
        self._recordings(call, listen)

    def claims(self, claims: Sequence[Claim]) -> None:
        """Print what was checked, and how it came out."""
        table = Table.grid(padding=(0, 1))
        for claim in claims:
            mark = Text("✗", "bold red") if claim.problem else Text("✓", "bold green")
            where = f"call {claim.call}" if claim.call else "all"
            sentence = Text(claim.sentence)
            if claim.problem:
                sentence.append(f"\n{claim.problem}", "red")
            table.add_row(mark, Text(where, "dim"), sentence)
        self._console.print()
        good = not any(claim.problem for claim in claims)
        title = "Checked on disk and in the database"
        self._console.print(Panel(table, title=title, title_align="left", border_style="green" if good else "red"))

    # Parts of a call

    def _story(self, call: CallDetail) -> None:
        begun, ended = call.call.began_at, call.call.ended_at or call.call.began_at
        table = Table.grid(padding=(0, 2))
        table.add_column(justify="right", style="dim")
        for at, words, style in sorted(story(call), key=lambda line: line[0]):
            table.add_row(f"{(at - begun).total_seconds():6.1f} s", Text(words, style))
        self._console.print()
        self._indented(table)
        spans = [
            ((one.at - begun).total_seconds(), ((one.closed_at or ended) - begun).total_seconds())
            for one in call.recordings
            if one.in_at
        ]
        length = (ended - begun).total_seconds()
        width = min(self._console.width, 100) - 30
        recorded = sum(end - start for start, end in spans)
        bar = Text(f"{length:6.1f} s  ", "dim").append(strip(length, spans, width), "red" if spans else "dim")
        self._console.print()
        self._indented(bar.append(f"  {recorded:.1f} s recorded", "bold" if spans else "dim"))

    def _decisions(self, call: CallDetail) -> None:
        self._heading("Decided")
        for number, decision in enumerate(call.decisions):
            sentences = self._explained(decision)
            told = [line for line in sentences if PASSED_OVER not in line]
            passed = len(sentences) - len(told)
            after = (decision.at - call.call.began_at).total_seconds()
            table = Table.grid(padding=(0, 2))
            table.add_column(justify="right", style="dim")
            table.add_column(overflow="fold")
            for line, sentence in enumerate(told if number == 0 else told[:2]):
                table.add_row(f"{after:6.1f} s" if line == 0 else "", Text(sentence, "bold" if line == 0 else ""))
            if number == 0 and passed:
                table.add_row("", Text(f"Rules looked at before and passed over: {passed}.", "dim"))
            self._indented(table)

    def _consent(self, consent: ConsentView) -> None:
        self._heading("Consent evidence")
        entry = read_manifest(self._settings.paths.prompts).get(f"{consent.language}/{consent.prompt}")
        pairs = {
            "answer": f"{consent.outcome}, key {consent.digits}",
            "caller": spoken(consent.caller_e164),
            "asked": f"{_clock(consent.asked_at)}, answered {_clock(consent.at)}",
            "heard": f"“{entry.text}”" if entry else consent.prompt,
            "prompt": f"{consent.language}, text version {consent.text_version}, promises {consent.keep_days} days",
            "SHA-256": consent.prompt_sha256,
            "evidence": consent.evidence_id,
        }
        self._pairs(pairs)

    def _recordings(self, call: CallDetail, listen: Mapping[str, Path]) -> None:
        stored = [one for one in call.recordings if one.path]
        if not stored:
            self._heading("Recordings")
            self._indented(Text("none", "bold"))
            return
        for number, one in enumerate(stored, 1):
            self._heading(f"Recording {number} of {len(stored)}")
            pairs = {
                "listen": str(listen[one.recording_id]),
                "stored": one.path,
                "file": f"{one.length_ms / 1000:.2f} s, stereo, {one.rate} Hz, {one.size:,} bytes, "
                f"kept for {one.retention_days} days",
                "SHA-256": one.sha256,
            }
            self._pairs(pairs)
            self._picture(one)

    def _picture(self, one: RecordingView) -> None:
        audio = read_audio(self._settings.paths.archive / one.path)
        names = (f"L {one.user_name}", f"R {spoken(one.other_e164)}")
        lines = picture(audio, names, min(self._console.width, 100) - INDENT)
        for number, line in enumerate(lines):
            style = ("bright_cyan", "bright_cyan", "bright_magenta", "bright_magenta")[number] if number < 4 else "dim"
            self._indented(Text(line, style, no_wrap=True))

    def _explained(self, decision: DecisionView) -> list[str]:
        return explain(
            verdict=decision.verdict,
            rule=decision.rule,
            rule_name=decision.rule_name,
            policy_version=decision.policy_version,
            facts=decision.facts,
            trace=decision.trace,
            names=self._names,
        )

    # Form

    def _heading(self, text: str) -> None:
        self._console.print()
        self._indented(Text(text, "bold blue"))

    def _pairs(self, pairs: Mapping[str, str]) -> None:
        table = Table.grid(padding=(0, 2))
        table.add_column(style="dim", justify="right", min_width=8)
        table.add_column(overflow="fold")
        for name, value in pairs.items():
            table.add_row(name, Text(value))
        self._indented(table)

    def _indented(self, what: Table | Text) -> None:
        self._console.print(Padding(what, (0, 0, 0, INDENT), expand=False))


def story(call: CallDetail) -> Iterator[tuple[datetime, str, str]]:
    """Yield what happened in a call, in plain words: when, what, and how it is shown."""
    names = {leg.channel_id: leg.user_name or spoken(leg.number_e164) or "a hidden number" for leg in call.legs}
    users = {leg.channel_id for leg in call.legs if leg.user_id}
    yield call.call.began_at, f"{spoken(call.call.caller_e164)} calls {spoken(call.call.ddi_e164)}", ""
    for consent in call.consents:
        yield consent.asked_at, f"the caller is asked ({consent.language})", ""
        pressed = f"the caller presses {consent.digits}: " if consent.digits else ""
        style = "bold green" if consent.outcome == "given" else "bold yellow"
        yield consent.at, f"{pressed}consent {consent.outcome}", style
    answered = False
    for step in call.timeline:
        who = names.get(step.channel_id, "somebody")
        if step.what == "ringing":
            yield step.at, f"{who}'s phone rings", ""
        elif step.what == "joined" and step.channel_id in users and not answered:
            answered = True
            yield step.at, f"{who} answers", ""
        elif step.what == "toggle":
            yield step.at, f"{who} presses *4: recording {step.detail}", "bold magenta"
        elif step.what == "announcement":
            yield step.at, ANNOUNCEMENT.get(step.detail.partition(":")[0], f"announcement: {step.detail}"), ""
    for decision in call.decisions:
        yield decision.at, f"decision: {VERDICTS.get(decision.verdict, decision.verdict)}", "cyan"
    for one in call.recordings:
        yield one.at, "recording begins", "red"
        if one.closed_at:
            yield one.closed_at, "recording ends", "red"
    if call.call.ended_at:
        yield call.call.ended_at, "the call ends", ""


def _clock(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M:%S}.{at.microsecond // 100_000} UTC"
