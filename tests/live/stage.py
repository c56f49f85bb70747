"""The stage of the live tests: one site, real SIP phones that each have a voice of their own, and what is known after.

A scene dials, keys and hangs up, and asks the database and the sound files what came of it. Scenes of one file run at
the same time on the one Asterisk, as calls do in a company.
"""

from __future__ import annotations

import itertools
import os
import signal as signal_numbers
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from stat import S_ISDIR
from typing import TypeVar

from open_files import family, held_open

from pbx_plugin.clock import now
from pbx_plugin.db.engine import make_engine
from pbx_plugin.db.queries import DatabaseQueries
from pbx_plugin.db.views import CallDetail, DecisionView, RecordingView
from pbx_plugin.sandbox.listening import Trace, assert_side, heard_anywhere
from pbx_plugin.sandbox.phone import Leg, Phone
from pbx_plugin.sandbox.signals import VOICES, Voice, write_voice
from pbx_plugin.sandbox.site import Site
from pbx_plugin.sandbox.site_config import TRUNK_HOST
from pbx_plugin.sandbox.site_extras import MUSIC

T = TypeVar("T")
ANSWER_MS = 300
CODECS = ("PCMA", "PCMU")
SETTLE_S = 20.0

_NUMBERS = itertools.count(100)
"""Of all stages together: a call is found by its number, and an earlier file of tests may have had one like it."""


class Stage:
    """Phones by extension, outside callers by name. Everything it starts it ends."""

    def __init__(self, site: Site, folder: Path) -> None:
        self.site = site
        self._folder = folder
        self._folder.mkdir(parents=True, exist_ok=True)
        self._phones: dict[str, Phone] = {}
        self._voices: dict[str, Voice] = {}
        self._free_voices = iter(v for v in VOICES if v != MUSIC)
        self._lock = threading.Lock()
        self._since: datetime | None = None
        self.set_up_at = now()
        # Each file of tests gives its people the same few voices: what an earlier file left on disk is not theirs.
        self._earlier: dict[Path, tuple[int, int]] = {}
        self.nothing_yet()
        self._engine = make_engine(site.settings.database, busy_ms=5000)
        self.queries = DatabaseQueries(self._engine)

    # People

    def phone(
        self, extension: str, *, answers: bool = True, signal: Path | None = None, codecs: Sequence[str] = CODECS
    ) -> Phone:
        """The phone of a user, registered; it answers by itself unless told otherwise, and says ``signal`` if given."""
        with self._lock:
            if extension not in self._phones:
                self._phones[extension] = Phone.start(
                    extension,
                    server=self.server,
                    register=True,
                    password=self.site.secrets.phones,
                    signal=signal or self._signal(extension),
                    record_dir=self._folder,
                    codecs=codecs,
                )
        phone = self._phones[extension]
        if answers:
            phone.auto_answer(ANSWER_MS)
        else:
            phone.auto_off()
        return phone

    def outside(self, name: str, codecs: Sequence[str] = CODECS, number: str = "") -> Phone:
        """A caller from outside, on the company's line; with a number of no matter, or with this one."""
        with self._lock:
            if name not in self._phones:
                self._phones[name] = Phone.start(
                    name,
                    address=TRUNK_HOST,
                    server=self.server,
                    caller=number or self.fresh_number(),
                    signal=self._signal(name),
                    record_dir=self._folder,
                    codecs=codecs,
                )
        return self._phones[name]

    def world(self) -> Phone:
        """Everybody outside who can be called: answers any number."""
        with self._lock:
            if "world" not in self._phones:
                self._phones["world"] = Phone.start(
                    "world",
                    address=TRUNK_HOST,
                    port=self.site.ports.trunk,
                    server=self.server,
                    signal=self._signal("world"),
                    record_dir=self._folder,
                )
        self._phones["world"].auto_answer(ANSWER_MS)
        return self._phones["world"]

    def voice(self, name: str) -> Voice:
        """Whose voice that is."""
        return self._voices[name]

    def fresh_number(self) -> str:
        """A Danish number that nobody in these tests has had yet."""
        return f"+45312{next(_NUMBERS):05d}"

    @property
    def server(self) -> str:
        """Where phones register."""
        return f"127.0.0.1:{self.site.ports.sip}"

    def _signal(self, name: str) -> Path:
        voice = next(self._free_voices)
        self._voices[name] = voice
        return write_voice(self._folder / f"voice-{name}.wav", voice, seconds=20)

    def gone(self, extension: str) -> None:
        """A user's phone is switched off."""
        self._phones.pop(extension).close()

    def kill(self, extension: str) -> None:
        """A user's phone loses its power: it says nothing to anybody."""
        phone = self._phones.pop(extension)
        os.kill(phone.pid, signal_numbers.SIGKILL)
        phone.close()

    def close(self) -> None:
        """End all phones."""
        for phone in self._phones.values():
            phone.close()
        self._engine.dispose()

    # What is known

    def from_now(self) -> None:
        """Know only calls that begin after this."""
        self._since = now()

    def call(self, number: str) -> CallDetail | None:
        """The latest call from or to an outside number, or of an extension's, if the books have one."""
        for view in self.queries.list_calls(limit=200, since=self._since):
            if number in (view.caller_e164, view.caller_raw, view.dialled_raw, view.ddi_e164):
                return self.queries.call_detail(view.call_id)
        return None

    def settled(self, number: str) -> CallDetail:
        """That call once it has ended and each of its recordings is stored, or can never be."""

        def look() -> CallDetail | None:
            found = self.call(number)
            if found is None or found.call.ended_at is None:
                return None
            done = all(recording.state in ("stored", "failed", "erased") for recording in found.recordings)
            return found if done else None

        return wait_for(look, f"the call of {number} to be over and its recordings stored", SETTLE_S)

    def recording_now(self, number: str, segment: int = 1) -> RecordingView:
        """The call's n-th recording as soon as Asterisk records it."""

        def look() -> RecordingView | None:
            found = self.call(number)
            live = [r for r in found.recordings if r.in_at is not None] if found else []
            return live[segment - 1] if len(live) >= segment else None

        return wait_for(look, f"recording {segment} of {number} to begin", 15.0)

    def decided(self, number: str, user: str, seconds: float = 15.0) -> DecisionView:
        """The last decision for a user of that call, once there is one."""

        def look() -> DecisionView | None:
            found = self.call(number)
            mine = [d for d in found.decisions if d.facts["user"]["extension"] == user] if found else []
            return mine[-1] if mine else None

        return wait_for(look, f"a decision for {user} in the call of {number}", seconds)

    def file(self, recording: RecordingView) -> Path:
        """Where the recording lies."""
        return self.site.archive / recording.path

    # What is heard

    def assert_sides(
        self, recording: RecordingView, left: str, right: str, allow: Iterable[str] = (), *, keys_s: float = 0.25
    ) -> None:
        """This voice alone on the left, that one alone on the right, in every second but the last ``keys_s``.

        A phone is silent while it sends keys, and the star code is what ends a recording.
        """
        path, end = self.file(recording), recording.length_ms / 1000
        also = [self.voice(name) for name in allow]
        assert_side(path, 0, self.voice(left), 0.25, end - keys_s, allow=also)
        assert_side(path, 1, self.voice(right), 0.25, end - keys_s, allow=also)

    def heard_by(self, name: str, who: Voice) -> bool:
        """Whether a phone's own recording of what it heard holds this voice."""
        return any(heard_anywhere(path, who) for path in self.heard_files(name))

    def heard_files(self, name: str) -> list[Path]:
        """A phone's own recordings of what it heard, one a call, 8 kHz mono."""
        return sorted(self._folder.glob(f"{name}-*.wav"))

    def nothing_yet(self) -> None:
        """What lies on disk now is not looked at by :meth:`assert_nowhere`, unless it is written to again."""
        self._earlier = self._lying()

    def _lying(self) -> dict[Path, tuple[int, int]]:
        """All files that could hold audio, with what tells one from itself once somebody has written to it."""
        found = {}
        for path in [path for place in self.site.sound_folders for path in place.rglob("*")]:
            with suppress(FileNotFoundError):
                told = path.stat()
                if not S_ISDIR(told.st_mode):
                    found[path] = (told.st_size, told.st_mtime_ns)
        return found

    def assert_nowhere(self, *names: str) -> None:
        """Not a tenth of a second of these voices lies anywhere that audio could lie."""
        self.assert_unheard({name: self.voice(name) for name in names})

    def assert_unheard(self, voices: Mapping[str, Voice]) -> None:
        """The same of voices that are no phone's own, by what they are called."""
        heard: list[Trace] = []
        known = dict(self._earlier)
        # What gets its final name while we listen is there under that name at the next look.
        while new := {path: told for path, told in self._lying().items() if known.get(path) != told}:
            known |= new
            for path in new:
                for voice in voices.values():
                    with suppress(FileNotFoundError):
                        heard += heard_anywhere(path, voice)
        assert not heard, f"{', '.join(voices)} should be nowhere on disk: {heard}"

    def assert_nothing_left(self) -> None:
        """No channel, snoop, bridge or half-made file is left, and nobody holds a recording open."""
        wait_for(lambda: not self._left(), "everything to be gone", 10.0, lambda: "; ".join(self._left()))

    def _left(self) -> list[str]:
        """What should be gone when all calls are over."""
        asterisk, spool, archive = self.site.asterisk, self.site.spool, self.site.archive
        channels = asterisk.rx("core show channels concise").split()
        # A lot's own bridge stays for the next who is parked, and so do its like.
        bridges = [row for row in asterisk.rx("bridge show all").splitlines()[1:] if row.strip() and not _waits(row)]
        files = [str(path) for path in (spool / "pbxrec").rglob("*") if path.is_file()]
        parts = [str(path) for path in archive.rglob("*") if path.name.startswith(".") or path.suffix == ".part"]
        ours = family(self.site.recorder.pid) if self.site.recorder.running else []
        return channels + bridges + files + parts + held_open([*ours, asterisk.pid], [spool, archive])


def talk(seconds: float) -> None:
    """Let both sides be heard for a while."""
    time.sleep(seconds)


def _waits(bridge: str) -> bool:
    """Whether a row of Asterisk's list is a bridge to wait in, with nobody in it."""
    # Its id, its name if it has one, how many are in it, what it is for, how it mixes.
    return " holding" in bridge and "0" in bridge.split()[1:3]


def wait_for(look: Callable[[], T | None], what: str, seconds: float, but: Callable[[], str] = str) -> T:
    """Ask until there is an answer that is neither None nor False.

    Raises AssertionError saying what was waited for, and what there was instead (``but``).
    """
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        found = look()
        if found is not None and found is not False:
            return found
        time.sleep(0.1)
    raise AssertionError(f"waited {seconds} s in vain for {what}: {but()}".removesuffix(": "))


def hang_up(*legs: Leg) -> None:
    """End these legs and wait until they have ended."""
    for leg in legs:
        if not leg.ended:
            leg.hangup()
    for leg in legs:
        leg.wait_ended()
