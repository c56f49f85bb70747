"""How fast keys act: the consent IVR's answer, and the dead air while the star code's script runs."""

from __future__ import annotations

import contextlib
import re
import time
import wave
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

import numpy as np

from pbx_plugin.sandbox.bench_figures import Aim, Result, Spread, delays, number
from pbx_plugin.sandbox.bench_site import BenchError, BenchSite
from pbx_plugin.sandbox.listening_files import read_audio
from pbx_plugin.sandbox.phone import Phone
from pbx_plugin.sandbox.signals import Samples, voice, write_voice
from pbx_plugin.sandbox.site_config import TRUNK_HOST
from pbx_plugin.sandbox.site_people import ddi_of

CONSENT_NUMBER = "701"
ON_DEMAND_USER = "211"
PHONES, CALLS_A_PHONE = 2, 4
"""Of outside callers. A phone's library carries four calls, not more."""

AT_ONCE = PHONES * CALLS_A_PHONE
PRESS_EVERY_S = 1.5
AUDIBLE_MS = 40.0

_STEP_MS = 5
_GAP_BELOW_DBFS = -30.0
_PAIR_WITHIN_S = 0.6
_LINE = re.compile(r"\[(?P<at>\d{4}-[^\]]+)\] (?:VERBOSE|DTMF)\[\d+\]\S* \S+: (?P<text>.*)")
_DIGIT = re.compile(r"DTMF end (?:emulation of )?'(?P<digit>.)' (?:received|queued) on (?P<channel>[^,\s]+)")
_PLAYING = re.compile(r"<(?P<channel>[^>]+)> Playing '[^']*/(?P<sound>[a-z-]+)\.")
_DONE = re.compile(r"<(?P<channel>[^>]+)>AGI Script agi://[^/]+/(?P<script>\w+) completed")
_STEP = re.compile(r'Executing \[[^\]]+\] \w+\("(?P<channel>[^"]+)"')

Say = Callable[[str], None]


class Press(NamedTuple):
    """A key that a script waited for: milliseconds from its end to what came of it; None where that never came."""

    digit: str
    script: str
    heard_ms: float | None
    done_ms: float
    step_ms: float | None


class Gap(NamedTuple):
    """A stretch of silence, in seconds from the start of the file and milliseconds."""

    at_s: float
    ms: float


def presses(lines: Iterable[str]) -> list[Press]:
    """Read Asterisk's log: each key before the end of a script, the script's next prompt, the dialplan's next step."""
    keys: dict[str, tuple[str, datetime]] = {}
    heard: dict[str, datetime] = {}
    ended: dict[str, tuple[str, datetime]] = {}
    found: list[Press] = []

    def close(channel: str, step: datetime | None) -> None:
        script, done = ended.pop(channel)
        digit, at = keys.pop(channel)
        prompt = heard.pop(channel, None)
        heard_ms = None if prompt is None else _ms(at, prompt)
        step_ms = None if step is None else _ms(at, step)
        found.append(Press(digit, script, heard_ms, _ms(at, done), step_ms))

    for line in lines:
        parts = _LINE.match(line)
        if parts is None:
            continue
        at, text = datetime.fromisoformat(parts["at"]), parts["text"]
        if match := _DIGIT.match(text):
            if match["channel"] in ended:
                close(match["channel"], None)
            keys[match["channel"]] = (match["digit"], at)
        elif (match := _PLAYING.match(text)) and match["channel"] in keys:
            heard.setdefault(match["channel"], at)
        elif (match := _DONE.match(text)) and match["channel"] in keys:
            ended[match["channel"]] = (match["script"], at)
        elif (match := _STEP.match(text)) and match["channel"] in ended:
            close(match["channel"], at)
    for channel in tuple(ended):
        close(channel, None)
    return found


def gaps(sound: Samples, rate: int) -> list[Gap]:
    """Return the stretches, in steps of 5 ms, in which a steady tone is not heard."""
    size = rate * _STEP_MS // 1000
    steps = sound[: len(sound) // size * size].reshape(-1, size)
    quiet = 2 * np.mean(steps**2, axis=1) < 10 ** (_GAP_BELOW_DBFS / 10)
    edges = np.flatnonzero(np.diff(np.concatenate([[0], quiet.astype(np.int8), [0]])))
    return [
        Gap(float(first * _STEP_MS / 1000), float((after - first) * _STEP_MS))
        for first, after in zip(edges[::2], edges[1::2], strict=True)
    ]


def pairs(found: Sequence[Gap]) -> list[tuple[float, float]]:
    """Return the gaps of `*` and of the digit that followed it, in ms; a gap without its fellow is left out."""
    together, place = [], 0
    while place + 1 < len(found):
        one, other = found[place], found[place + 1]
        if other.at_s - one.at_s <= _PAIR_WITHIN_S:
            together.append((one.ms, other.ms))
            place += 1
        place += 1
    return together


def digits(bench: BenchSite, batches: int, say: Say) -> Result:
    """Let callers press 1 in the consent IVR, ten calls at a time."""
    began = time.monotonic()
    with bench.recording(), _phones(bench) as (outside, _), _log(bench) as log:
        for batch in range(batches):
            say(f"callers say yes: batch {batch + 1} of {batches}")
            legs = [phone.dial(ddi_of(CONSENT_NUMBER)) for phone in outside for _ in range(CALLS_A_PHONE)]
            for leg in legs:
                leg.wait("CONFIRMED")
            time.sleep(1.0)
            for leg in legs:
                leg.dtmf("1")
            for leg in legs:
                leg.wait_ended(20)
        found = [press for press in presses(log()) if press.script == "consent"]
    thanks = _seconds(bench.site.settings.paths.prompts / "en" / "thanks-yes.wav") * 1000
    heard = [press.heard_ms for press in found if press.heard_ms is not None]
    stepped = [press.step_ms for press in found if press.step_ms is not None]
    if len(stepped) < batches * AT_ONCE:
        raise BenchError(f"of {batches * AT_ONCE} callers only {len(stepped)} were led on")
    besides = [step - thanks for step in stepped]
    rows = [
        ("key released to the answering prompt (evidence durable, mark set)", heard),
        ("key released to the next dialplan step, whole", stepped),
        (f"the same without the prompt's own {thanks:,.0f} ms", besides),
    ]
    return Result(
        name="digits",
        title="Consent: digit to the next dialplan step",
        method=(
            f"{AT_ONCE} callers at a time hear the question and press 1 (RFC 4733), one after the other. Times are "
            "those of Asterisk's log, in whole milliseconds: from the end of the digit to the prompt that thanks, "
            "by which time the evidence is on disk; and to the first dialplan step after the script, which comes "
            "when that prompt has been heard to its end."
        ),
        runs=f"{len(stepped)} calls.",
        tables=(delays(rows),),
        figures={
            "digit to prompt p50 ms": Spread.of(heard).median,
            "besides the prompt p50": Spread.of(besides).median,
        },
        seconds=time.monotonic() - began,
    )


def toggle(bench: BenchSite, times: int, say: Say) -> Result:
    """Let a user press the star code again and again, and listen at both ends for what is missing."""
    began = time.monotonic()
    with bench.recording(), _phones(bench) as (outside, agent), _log(bench) as log:
        say(f"a user presses *4 {times} times")
        leg = outside[0].dial(ddi_of(ON_DEMAND_USER))
        leg.wait("CONFIRMED")
        answered = agent.wait_incoming()
        time.sleep(2.0)
        for _ in range(times):
            answered.dtmf("*4")
            time.sleep(PRESS_EVERY_S)
        leg.hangup()
        leg.wait_ended()
        answered.wait_ended()
        found = [press for press in presses(log()) if press.script == "toggle"]
    if leg.heard is None or answered.heard is None:
        raise BenchError("a phone did not keep what it heard")
    both = pairs(_gaps_in(leg.heard))
    if len(both) < times / 2 or len(found) < times:
        raise BenchError(f"of {times} presses {len(found)} ran the script, {len(both)} were heard by the caller")
    longer = [four - star for star, four in both]
    other_way = [gap.ms for gap in _gaps_in(answered.heard)] or [0.0]
    rows = [
        ("key released to the script's end (Asterisk's log)", [press.done_ms for press in found]),
        ("caller misses of the user, for *", [star for star, _ in both]),
        ("caller misses of the user, for 4 and the script", [four for _, four in both]),
        ("the difference: the script's own dead air", longer),
        ("user misses of the caller, all gaps of the call", other_way),
    ]
    worst = max(*longer, *other_way)
    return Result(
        name="toggle",
        title="Star code: dead air",
        method=(
            "A user in a call presses *4 (RFC 4733) while both sides send a steady tone. Silence is looked for, in "
            "steps of 5 ms, in what each phone itself recorded of what it heard. A phone sends no voice while it "
            "sends a digit, so that each of the two keys makes a gap by itself; what the 4 costs more than the "
            "star is the script's doing. Phones conceal short losses, hence the log's word beside."
        ),
        runs=f"{times} presses in one call.",
        tables=(delays(rows),),
        aims=(
            Aim(
                f"nobody notices the script: at most {AUDIBLE_MS:g} ms of silence",
                f"{number(worst)} ms at most",
                worst <= AUDIBLE_MS,
            ),
        ),
        figures={"script p50 ms": Spread.of(rows[0][1]).median, "dead air longest ms": worst},
        seconds=time.monotonic() - began,
    )


@contextlib.contextmanager
def _phones(bench: BenchSite) -> Iterator[tuple[list[Phone], Phone]]:
    """Outside callers, each with several calls at once, and one user, who answers."""
    folder = bench.folder / "phones"
    folder.mkdir(mode=0o750, exist_ok=True)
    server = f"127.0.0.1:{bench.site.ports.sip}"

    with contextlib.ExitStack() as running:
        outside = []
        sound = write_voice(folder / "voice-outside.wav", voice("alfa"), 20)
        for number_ in range(PHONES):
            phone = Phone.start(
                f"outside-{number_}",
                address=TRUNK_HOST,
                server=server,
                caller=bench.fresh_number(),
                signal=sound,
                record_dir=folder,
            )
            outside.append(running.enter_context(phone))
        agent = Phone.start(
            ON_DEMAND_USER,
            server=server,
            register=True,
            password=bench.site.secrets.phones,
            signal=write_voice(folder / "voice-user.wav", voice("mike"), 20),
            record_dir=folder,
        )
        running.enter_context(agent)
        agent.auto_answer(100)
        yield outside, agent


@contextlib.contextmanager
def _log(bench: BenchSite) -> Iterator[Callable[[], list[str]]]:
    """Give what Asterisk logs from here on."""
    path = bench.site.asterisk.log_path
    before = path.stat().st_size

    def since() -> list[str]:
        time.sleep(0.5)
        with path.open("rb") as file:
            file.seek(before)
            return file.read().decode(errors="replace").splitlines()

    yield since


def _gaps_in(path: Path) -> list[Gap]:
    """Return the gaps of a recording between its first and its last second."""
    audio = read_audio(path)
    sound = audio.channel(0)
    end = len(sound) / audio.rate
    return [gap for gap in gaps(sound, audio.rate) if 1.0 < gap.at_s < end - 1.0]


def _seconds(path: Path) -> float:
    with wave.open(str(path), "rb") as sound:
        return sound.getnframes() / sound.getframerate()


def _ms(earlier: datetime, later: datetime) -> float:
    return (later - earlier).total_seconds() * 1000
