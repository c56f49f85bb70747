"""Makes real calls and writes down all that Asterisk says of each: ``python tests/live/record_traces.py [NAME …]``.

One file a call in ``tests/contract/traces``: a header, then events exactly as Asterisk sent them, and looks at its
channels and bridges in between. What is this machine's alone (folders, hardware address) is left out.
"""

from __future__ import annotations

import contextlib
import json
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter
from stage import Stage, hang_up, talk, wait_for
from tap import Tap

from pbx_plugin.clock import now
from pbx_plugin.db.engine import make_engine
from pbx_plugin.db.rulebook import DatabaseRulebook
from pbx_plugin.domain.rulebook import Rulebook
from pbx_plugin.sandbox.phone import Leg
from pbx_plugin.sandbox.site import Site
from pbx_plugin.sandbox.site_people import ddi_of

Json = dict[str, Any]
TRACES = Path(__file__).parent.parent / "contract" / "traces"
TALK_S = 1.5
CODE = "*4"
ASTERISK_ID = "02:00:00:00:00:01"


class Play:
    """What the calls need: phones, and the tap to wait by."""

    def __init__(self, stage: Stage, tap: Tap) -> None:
        self.stage = stage
        self.tap = tap

    def caller(self, number: str) -> Leg:
        """The outside caller dials a direct number of the company."""
        return self.stage.outside("caller").dial(ddi_of(number))

    def recorded(self, segments: int = 1) -> None:
        """Wait until so many segments are being, or have been, recorded; then talk."""
        wait_for(lambda: self.tap.heard("RecordingStarted", 2 * segments), f"recording {segments}", 20.0)
        talk(TALK_S)

    def rings(self, extension: str) -> str:
        """Return the channel that rings there."""

        def look() -> str | None:
            rows = [row.split("!") for row in self.stage.site.asterisk.rx("core show channels concise").splitlines()]
            ringing = (row[0] for row in rows if row[0].startswith(f"PJSIP/{extension}-") and row[4] == "Ringing")
            return next(ringing, None)

        return wait_for(look, f"the phone of {extension} to ring", 10.0)

    def consents(self, number: str, key: str) -> Leg:
        """The caller dials a consent number and presses a key in the prompt."""
        leg = self.caller(number)
        leg.wait("CONFIRMED")
        talk(2.5)
        leg.dtmf(key)
        return leg


def incoming(play: Play) -> None:
    """An outside caller calls a user who is always recorded, and hangs up after a while."""
    play.stage.phone("201")
    leg = play.caller("201")
    play.recorded()
    hang_up(leg)


def incoming_never(play: Play) -> None:
    """An outside caller calls a user who is never recorded."""
    play.stage.phone("221")
    leg = play.caller("221")
    leg.wait("CONFIRMED")
    talk(TALK_S)
    hang_up(leg)


def outgoing(play: Play) -> None:
    """A user who is always recorded calls an outside number."""
    play.stage.world()
    leg = play.stage.phone("202").dial("+4531299999")
    play.recorded()
    hang_up(leg)


def internal(play: Play) -> None:
    """A user who is always recorded calls another one."""
    play.stage.phone("202")
    leg = play.stage.phone("201").dial("202")
    play.recorded()
    hang_up(leg)


def on_demand(play: Play) -> None:
    """A user on demand is called from outside and presses the star code: on, off, on, off."""
    user = play.stage.phone("211", answers=False)
    leg = play.caller("211")
    mine = user.wait_incoming()
    mine.answer()
    leg.wait("CONFIRMED")
    talk(1.0)
    for segment in (1, 2):
        mine.dtmf(CODE)
        play.recorded(segment)
        mine.dtmf(CODE)
        talk(TALK_S)
    hang_up(leg)


def consent_given(play: Play) -> None:
    """A caller on a consent number presses 1 and is put through to the recorded ring group."""
    play.stage.phone("231")
    leg = play.consents("701", "1")
    play.recorded()
    hang_up(leg)


def consent_refused(play: Play) -> None:
    """A caller on a consent number presses 2 and is put through to the ring group that is not recorded."""
    play.stage.phone("233")
    leg = play.consents("701", "2")
    wait_for(lambda: play.tap.heard("ChannelEnteredBridge", 2), "both to talk", 20.0)
    talk(TALK_S)
    hang_up(leg)


def queue_given(play: Play) -> None:
    """A caller presses 1 and waits in the recorded queue; both members ring, one answers."""
    silent = play.stage.phone("236", answers=False)
    play.stage.phone("235")
    leg = play.consents("702", "1")
    silent.wait_incoming(20.0)
    play.recorded()
    hang_up(leg)


def queue_refused(play: Play) -> None:
    """A caller presses 2 and waits in the queue that is not recorded, whose members are always recorded otherwise."""
    play.stage.phone("237")
    leg = play.consents("702", "2")
    wait_for(lambda: play.tap.heard("ChannelEnteredBridge", 2), "both to talk", 20.0)
    talk(TALK_S)
    hang_up(leg)


def hold(play: Play) -> None:
    """The called user puts the caller on hold and takes the call back."""
    user = play.stage.phone("201", answers=False)
    leg = play.caller("201")
    mine = user.wait_incoming()
    mine.answer()
    play.recorded()
    mine.hold()
    talk(TALK_S)
    mine.unhold()
    play.recorded(2)
    hang_up(leg)


def blind_to_always(play: Play) -> None:
    """The called user sends the caller on by REFER to another user who is always recorded."""
    user = play.stage.phone("201", answers=False)
    play.stage.phone("202")
    leg = play.caller("201")
    mine = user.wait_incoming()
    mine.answer()
    play.recorded()
    mine.transfer("202")
    play.recorded(2)
    hang_up(leg)


def blind_to_never(play: Play) -> None:
    """The called user, always recorded, sends the caller on by REFER to a user who is never recorded."""
    user = play.stage.phone("201", answers=False)
    play.stage.phone("221")
    leg = play.caller("201")
    mine = user.wait_incoming()
    mine.answer()
    play.recorded()
    mine.transfer("221")
    wait_for(lambda: play.tap.heard("ChannelEnteredBridge", 4), "the caller to talk to another", 10.0)
    talk(TALK_S)
    hang_up(leg)


def outgoing_transferred(play: Play) -> None:
    """A user calls an outside number and sends the one who answered on by REFER to a colleague."""
    play.stage.world()
    colleague = play.stage.phone("201", answers=False)
    mine = play.stage.phone("202").dial("+4531299998")
    play.recorded()
    mine.transfer("201")
    theirs = colleague.wait_incoming()
    theirs.answer()
    play.recorded(2)
    hang_up(theirs)


def blind_by_code(play: Play) -> None:
    """The called user sends the caller on to a colleague by the feature code, not by the phone's own button."""
    user = play.stage.phone("201", answers=False)
    play.stage.phone("203")
    leg = play.caller("201")
    mine = user.wait_incoming()
    mine.answer()
    play.recorded()
    mine.dtmf("##")
    talk(1.5)
    mine.dtmf("203")
    play.recorded(2)
    hang_up(leg)


def refused_and_sent_on(play: Play) -> None:
    """A caller who refused is sent on by REFER to a user who is always recorded."""
    user = play.stage.phone("233", answers=False)
    play.stage.phone("201")
    leg = play.consents("701", "2")
    mine = user.wait_incoming(20.0)
    mine.answer()
    wait_for(lambda: play.tap.heard("ChannelEnteredBridge", 2), "both to talk", 20.0)
    talk(TALK_S)
    mine.transfer("201")
    wait_for(lambda: play.tap.heard("ChannelEnteredBridge", 4), "the caller to talk to another", 10.0)
    talk(TALK_S)
    hang_up(leg)


def attended(play: Play) -> None:
    """The called user asks a colleague first, on a second line, and then joins the two (REFER with Replaces)."""
    user = play.stage.phone("201", answers=False)
    play.stage.phone("202")
    leg = play.caller("201")
    mine = user.wait_incoming()
    mine.answer()
    play.recorded()
    mine.hold()
    asking = user.dial("202")
    play.recorded(2)
    mine.transfer_to(asking)
    play.recorded(3)
    hang_up(leg)


def attended_refused(play: Play) -> None:
    """A caller who refused talks to one who asks a colleague, always recorded, on a second line and joins the two."""
    user = play.stage.phone("233", answers=False)
    play.stage.phone("201")
    leg = play.consents("701", "2")
    mine = user.wait_incoming(20.0)
    mine.answer()
    wait_for(lambda: play.tap.heard("ChannelEnteredBridge", 2), "both to talk", 20.0)
    talk(TALK_S)
    mine.hold()
    asking = user.dial("201")
    play.recorded()
    mine.transfer_to(asking)
    talk(2 * TALK_S)
    hang_up(leg)


def picked_up(play: Play) -> None:
    """A user who is never recorded picks up a call that rings at one who always is."""
    play.stage.phone("202", answers=False)
    play.stage.phone("221")
    leg = play.caller("202")
    play.stage.site.asterisk.rx(f"channel originate PJSIP/221 application PickupChan {play.rings('202')}")
    leg.wait("CONFIRMED")
    talk(TALK_S)
    hang_up(leg)


def gone_in_the_prompt(play: Play) -> None:
    """The caller on a consent number hangs up before pressing a key."""
    leg = play.caller("701")
    leg.wait("CONFIRMED")
    talk(TALK_S)
    hang_up(leg)


def gone_while_ringing(play: Play) -> None:
    """The caller hangs up before anybody answers."""
    user = play.stage.phone("201", answers=False)
    leg = play.caller("201")
    user.wait_incoming()
    talk(1.0)
    hang_up(leg)


def busy(play: Play) -> None:
    """The called user's phone says busy."""
    user = play.stage.phone("201", answers=False)
    user.auto_refuse(486)
    leg = play.caller("201")
    leg.wait_ended(20.0)
    user.auto_off()


CALLS: tuple[Callable[[Play], None], ...] = (
    *(incoming, incoming_never, outgoing, internal, on_demand),
    *(consent_given, consent_refused, queue_given, queue_refused),
    *(
        hold,
        blind_to_always,
        blind_to_never,
        blind_by_code,
        refused_and_sent_on,
        outgoing_transferred,
        attended,
        attended_refused,
    ),
    *(picked_up, gone_in_the_prompt, gone_while_ringing, busy),
)


def main(names: list[str]) -> None:
    """Record the calls of these names, or all."""
    with (
        tempfile.TemporaryDirectory(prefix="traces-") as folder,
        contextlib.closing(_Scratch(Path(folder))) as scratch,
        Tap(scratch.site.settings.ari) as tap,
    ):
        version = scratch.site.asterisk.rx("core show version").split()[1]
        for call in CALLS:
            if names and call.__name__ not in names:
                continue
            stage = Stage(scratch.site, Path(folder) / call.__name__)
            try:
                time.sleep(0.5)
                tap.begin()
                call(Play(stage, tap))
                lines = tap.end()
            finally:
                stage.close()
            tap.end()
            size = _write(call, version, scratch, lines)
            print(f"{call.__name__}: {sum('type' in line for line in lines)} events, {size // 1024} KiB", flush=True)


class _Scratch:
    """A site for these calls alone, and the rules it lives by."""

    def __init__(self, folder: Path) -> None:
        self.site = Site(folder / "site")
        try:
            self.site.start()
            engine = make_engine(self.site.settings.database)
            self.rules = DatabaseRulebook(engine).load()
            engine.dispose()
        except BaseException:
            self.site.stop()
            raise

    def close(self) -> None:
        self.site.stop()


def _write(call: Callable[[Play], None], version: str, scratch: _Scratch, lines: list[Json]) -> int:
    text = "".join(json.dumps(line, separators=(",", ":"), ensure_ascii=False) + "\n" for line in _short(lines))
    told = next(str(line["asterisk_id"]) for line in lines if "asterisk_id" in line)
    text = text.replace(told, ASTERISK_ID).replace(str(scratch.site.folder), "/site")
    header = {
        "call": call.__name__,
        "what": (call.__doc__ or "").strip(),
        "asterisk": version,
        "asterisk_id": ASTERISK_ID,
        "recorded": now().date().isoformat(),
        "rulebook": TypeAdapter(Rulebook).dump_python(_needed(scratch.rules, text), mode="json"),
    }
    TRACES.mkdir(exist_ok=True)
    path = TRACES / f"{call.__name__}.jsonl"
    path.write_text(json.dumps(header, separators=(",", ":"), ensure_ascii=False) + "\n" + text)
    return path.stat().st_size


def _needed(rules: Rulebook, text: str) -> Rulebook:
    """Return the rules without the people who have nothing to do with the call."""
    users = tuple(user for user in rules.users if any(f"{device}-" in text for device in user.devices))
    ids = {user.id for user in users}
    return replace(
        rules,
        users=users,
        members=tuple(member for member in rules.members if member.user_id in ids),
        direct_numbers=tuple(n for n in rules.direct_numbers if not n.user_id or n.user_id in ids),
    )


def _short(lines: list[Json]) -> list[Json]:
    """Name a channel by its id alone in a look that finds it as an earlier look did."""
    known: dict[str, Json] = {}
    found = []
    for line in lines:
        look = line.get("look")
        if look is None:
            found.append(line)
            continue
        channels = [c["id"] if known.get(c["id"]) == c else c for c in look["channels"]]
        known |= {c["id"]: c for c in look["channels"]}
        found.append({"look": {**look, "channels": channels}})
    return found


if __name__ == "__main__":
    main(sys.argv[1:])
