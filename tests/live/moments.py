"""Calls at every moment that a fault can meet, all at once, and the one place that says whether all went well.

::

    calls = Moments(stage, asked="1")      # bring_up is in it: returns when each call is at its moment
    calls.hang_up_leaving()                # the very moment before the fault
    with calls.lasting():                  # all phones hear each other from here ...
        stage.site.recorder.kill()
        talk(3)
        stage.site.recorder.start()
        stage.site.recorder.wait_ready()   # ... to here
    calls.go_on()                          # answer, switch on again, consent, talk, end all
    calls.assert_all_well()

The moments, by the name of the caller: ``ringing`` (201 has not answered; :meth:`Moments.answer` does it earlier than
``go_on`` would), ``talking`` (202, recorded), ``off`` (211 switched on and off again), ``leaving`` (203, recorded;
ends at :meth:`Moments.hang_up_leaving`, so that its finalising meets the fault), ``refusing`` (703 and key 2, talks
with 239, who is always recorded otherwise), ``asked`` (still in 701's question), ``bridged`` (606, in our own bridge
with 241).

``asked`` is what that caller presses in ``go_on``: "1" must lead to a recording of 231, "" is for faults in which the
question ends by itself: 233 is then called, and never recorded. None leaves that call out.

What should be recorded is measured by the phones: :attr:`Call.due` are stretches of time, in which each second must
be either in a stored recording of that user or in a gap that ``pbx-plugin gaps`` lists. A fault that itself ends
calls says so by :meth:`Moments.all_cut`; then ``go_on`` has nothing to do and is left out. Announcements are off, so
that recording is due with the answer: a file of such tests has ``pytestmark = pytest.mark.usefixtures("untold")`` and
``from rules import untold``.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from weakref import WeakKeyDictionary

import kinds
from moment_call import Call, SpoolWatch, heard_so_far, in_a_row, story
from stage import Stage, talk

from pbx_plugin.clock import now
from pbx_plugin.db.engine import make_engine
from pbx_plugin.db.evidence import SiteQueries
from pbx_plugin.db.views import CallDetail, GapView, RecordingView
from pbx_plugin.domain.losses import STARVED
from pbx_plugin.sandbox.listening import picture, tones
from pbx_plugin.sandbox.phone import Leg, PhoneError
from pbx_plugin.sandbox.site_people import ddi_of

KEYS = "*4"
TALK_S = 2.5
PROMPT_S = 2.0
"""After so long the consent question is being played, and it lasts much longer."""

MISSING_S = 1.2
"""How much of a segment may be missing untold: the product tells of more than a second, and the phone was asked."""

TOO_MUCH_S = 0.7
"""How much longer than due a segment may be: the phone's clock and Asterisk's word are not one."""

KEYS_S = 0.8
"""A phone that presses a star and a digit says nothing meanwhile."""


_UP: WeakKeyDictionary[Stage, Moments] = WeakKeyDictionary()
"""The latest moments of each stage."""


class Moments:
    """Calls at every moment; see the module's own text."""

    def __init__(self, stage: Stage, *, asked: str | None = "1") -> None:
        self.stage = stage
        self._asked = asked
        self._since = now()
        self.calls: dict[str, Call] = {}
        self._heard: list[tuple[Call, Leg, str, float, float]] = []
        self._silent_s = 0.0
        self._left: set[str] = set()
        _end_what_a_failed_test_left(stage)
        _UP[stage] = self
        self._start_phones()
        stage.from_now()
        stage.nothing_yet()
        self._spool = SpoolWatch(stage.site.spool / "pbxrec")
        self._bring_up()

    # Before the fault

    def _start_phones(self) -> None:
        """All of them first: a phone that starts makes its neighbours stutter."""
        for extension in ("202", "203", "211", "231", "233", "239", "241"):
            kinds.ready(self.stage, extension)
        kinds.ready(self.stage, "201", answers=False)
        for name in ("talking", "off", "leaving", "refusing", "ringing", "bridged", self._asked_name):
            self.stage.outside(name)

    @property
    def _asked_name(self) -> str:
        return "asked" if self._asked else "asked in vain"

    def _bring_up(self) -> None:
        refusing = self._dial("refusing", "239", "703")
        self._talk("talking", "202")
        leaving = self._talk("leaving", "203")
        bridged = self._talk("bridged", "241", "606")
        refusing.outside.dtmf("2")
        refusing.inside = self.stage.phone("239").wait_incoming(20)
        refusing.inside.wait("CONFIRMED")
        self._switched_off(self._talk("off", "211", due=False))
        ringing = self._dial("ringing", "201", "201")
        ringing.inside = self.stage.phone("201", answers=False).wait_incoming()
        for call in (self.calls["talking"], leaving, bridged):
            kinds.recorded(self.stage, call.number, call.user)
        self.stage.decided(refusing.number, "239")
        if self._asked is not None:
            self._dial(self._asked_name, "231" if self._asked else "233", "701").outside.wait("CONFIRMED")
            talk(PROMPT_S)

    def _dial(self, name: str, user: str, number: str) -> Call:
        phone = self.stage.outside(name)
        call = Call(name, user, phone.config.caller, phone.dial(ddi_of(number)))
        self.calls[name] = call
        return call

    def _talk(self, name: str, user: str, number: str = "", *, due: bool = True) -> Call:
        call = self._dial(name, user, number or user)
        call.inside = self.stage.phone(user).wait_incoming()
        answered = call.inside.wait("CONFIRMED")
        call.outside.wait("CONFIRMED")
        if due:
            call.begin(answered.utc)
        return call

    def _switched_off(self, call: Call) -> None:
        """On, and off again; the caller speaks only while it is off."""
        call.hushed = True
        call.outside.mute()
        self.stage.decided(call.number, call.user)
        self._press(call)
        kinds.recorded(self.stage, call.number, call.user)
        talk(TALK_S)
        self._press(call)
        kinds.closed(self.stage, call.number, call.user)
        talk(0.3)
        call.outside.unmute()

    def _press(self, call: Call) -> None:
        assert call.inside is not None
        call.inside.dtmf(KEYS)
        at = time.time()
        if call.due and not call.due[-1][1]:
            call.end(at)
        else:
            call.begin(at)

    def hang_up_leaving(self) -> None:
        """End the call ``leaving``, and do not wait for anything: its recording is being finalised now."""
        call = self.calls["leaving"]
        self._left.add("leaving")
        call.outside.hangup()
        call.end(call.outside.wait_ended().utc)

    # The fault

    @contextmanager
    def lasting(self, *, silent_s: float = 0.5) -> Iterator[None]:
        """While a fault lasts and is undone: calls that are up stay up, and who talks hears the other.

        Nobody may be unheard for longer than ``silent_s`` in a row (on a busy machine a phone slips a packet).
        """
        up = [(call, leg) for call in self.calls.values() if not call.outside.ended for leg in call.legs]
        talking = [call for call in self.calls.values() if call.talks]
        before = {id(leg): heard_so_far(leg) for call in talking for leg in call.legs}
        yield
        fell = [call.name for call, leg in up if leg.ended and call.name not in self._left]
        assert not fell, f"the fault ended calls: {fell}"
        for call in [one for one in talking if one.name not in self._left]:
            for leg, other in zip(call.legs, (call.user, call.name), strict=True):
                self._heard.append((call, leg, other, before[id(leg)], heard_so_far(leg)))
        self._silent_s = silent_s

    def answer(self) -> None:
        """Let 201 answer."""
        call = self.calls["ringing"]
        assert call.inside is not None
        call.inside.answer()
        call.begin(call.inside.wait("CONFIRMED").utc)
        call.outside.wait("CONFIRMED")

    def all_cut(self, at: float) -> None:
        """The fault ended all calls at that moment (seconds since the epoch)."""
        for call in self.calls.values():
            call.end(at)

    # After it

    def go_on(self) -> None:
        """Let every call become what its people want, talk a little, and end."""
        if not self.calls["ringing"].due:
            self.answer()
        asked = self.calls.get(self._asked_name)
        if asked is not None:
            if self._asked:
                asked.outside.dtmf(self._asked)
            asked.inside = self.stage.phone(asked.user).wait_incoming(20)
            answered = asked.inside.wait("CONFIRMED")
            if self._asked:
                asked.begin(answered.utc)
        off = self.calls["off"]
        off.outside.mute()
        talk(0.5)
        self._press(off)
        kinds.recorded(self.stage, off.number, off.user, 2)
        talk(TALK_S)
        for call in self.calls.values():
            if call.outside.ended:
                continue
            call.outside.hangup()
            call.end(call.outside.wait_ended().utc)
        for call in self.calls.values():
            for leg in call.legs:
                leg.wait_ended()

    # What must be true then

    def assert_all_well(self, *, silent_s: float = 0.5) -> None:
        """Assert all that must be true after any fault; ``silent_s`` is how long a voice may be missing in a row."""
        try:
            found = {call.name: self.stage.settled(call.number) for call in self.calls.values()}
            gaps = self._gaps()
            self._assert_heard()
            self._assert_never_refused(found)
            for call in self.calls.values():
                self._assert_accounted(call, found[call.name], gaps)
                self._assert_sides(call, found[call.name], silent_s)
            self.stage.assert_nothing_left()
            self._assert_archive_is_the_books()
        finally:
            self._spool.stop()

    def _gaps(self) -> list[GapView]:
        """What ``pbx-plugin gaps`` lists."""
        engine = make_engine(self.stage.site.settings.database, busy_ms=5000)
        try:
            queries = SiteQueries(engine)
            tenants = {recording.tenant_id for recording in queries.list_recordings(limit=0, since=self._since)}
            return [gap for tenant in tenants for gap in queries.list_gaps(tenant, limit=0, since=self._since)]
        finally:
            engine.dispose()

    def _assert_heard(self) -> None:
        for call, leg, other, since, until in self._heard:
            assert leg.heard is not None
            windows = [w for w in tones(leg.heard) if w.start_s >= since and w.end_s <= until]
            unheard = [w for w in windows if self.stage.voice(other) not in w.voices]
            told = f"{call.name}: {other} was not heard through the fault\n{picture(windows)}"
            assert windows, told
            assert in_a_row(unheard) <= self._silent_s, told

    def _assert_never_refused(self, found: dict[str, CallDetail]) -> None:
        refused = [found[call.name] for call in self.calls.values() if not call.due]
        for call in refused:
            assert call.recordings == (), call
            assert {decision.verdict for decision in call.decisions} <= {"never"}, call.decisions
        names = [name for call in self.calls.values() if not call.due for name in (call.name, call.user)]
        names += [call.name for call in self.calls.values() if call.hushed]
        self.stage.assert_nowhere(*names)

    def _assert_accounted(self, call: Call, found: CallDetail, gaps: list[GapView]) -> None:
        """Every second that was due is stored or a gap, and what was on disk is stored or a gap."""
        ids = {found.call.call_id, *(other.call_id for other in found.merged_from)}
        missing = [gap for gap in gaps if gap.call_id in ids]
        assert all(gap.until is not None for gap in missing), missing
        stored = [recording for recording in found.recordings if recording.state == "stored"]
        assert len({recording.media_id for recording in stored}) == len(stored), "a segment is there twice"
        kept = sum(recording.length_ms for recording in stored) / 1000
        told = sum(gap.seconds(now()) for gap in missing if not any(is_silence_in(gap, one) for one in stored))
        due = sum(until - since for since, until in call.due)
        parts = max(1, len(stored), len(call.due))
        sums = f"{call.name}: {due:.2f} s were due, {kept:.2f} s are stored, {told:.2f} s are gaps: {story(found)}"
        assert -TOO_MUCH_S * parts <= due - kept - told <= MISSING_S * parts, sums
        on_disk = sum(self._spool.seconds.get(recording.media_id, 0.0) for recording in found.recordings)
        assert on_disk <= kept + told + TOO_MUCH_S * parts, f"{on_disk:.2f} s were on disk; {sums}"

    def _assert_sides(self, call: Call, found: CallDetail, silent_s: float) -> None:
        for recording in found.recordings:
            if recording.state == "stored":
                self._assert_side(recording, 0, call.user, silent_s)
                self._assert_side(recording, 1, "" if call.hushed else call.name, silent_s)

    def _assert_side(self, recording: RecordingView, channel: int, who: str, silent_s: float) -> None:
        path, end = self.stage.file(recording), recording.length_ms / 1000
        windows = [w for w in tones(path, channel) if w.start_s >= 0.25 and w.end_s <= end - KEYS_S]
        mine = {self.stage.voice(who)} if who else set()
        strangers = [w for w in windows if w.voices - mine]
        unheard = [w for w in windows if mine - w.voices]
        told = f"{path}, side {channel}: {who or 'nobody'} should be heard\n{picture(windows)}"
        assert not strangers, told
        assert in_a_row(unheard) <= silent_s, told

    def _assert_archive_is_the_books(self) -> None:
        """Nothing lies in the archive that the books do not know; nothing was set aside; no file is half made."""
        stored = [r for r in self.stage.queries.list_recordings(limit=0) if r.state == "stored"]
        books = {path for recording in stored for path in (recording.path, recording.peaks_path)}
        archive = self.stage.site.archive
        lying = {str(path.relative_to(archive)) for path in archive.rglob("*") if path.is_file()}
        assert lying <= books, f"in the archive and not in the books: {lying - books}"
        assert not list(self.stage.site.settings.paths.journal.glob("*.rejected")), "entries were set aside"


def is_silence_in(gap: GapView, stored: RecordingView) -> bool:
    """Whether silence stands in the file for what Asterisk had no time for: a gap, and in the file's length as well."""
    if not gap.reason.startswith(STARVED) or gap.until is None or stored.in_at is None:
        return False
    return stored.in_at <= gap.since and gap.until <= stored.in_at + timedelta(milliseconds=stored.length_ms)


def _end_what_a_failed_test_left(stage: Stage) -> None:
    """A phone has few lines: those of a test that went wrong are wanted by the next."""
    for call in _UP[stage].calls.values() if stage in _UP else ():
        for leg in call.legs:
            with suppress(PhoneError):
                leg.hangup()
