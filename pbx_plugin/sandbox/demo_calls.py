"""The three calls of the demonstration, as the people in it live them. Each waits for facts, not for the clock."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass

from pbx_plugin.sandbox.demo_cast import CLARA, DAVID, ODA, RIKKE, ROSA, SARA, Person, spoken
from pbx_plugin.sandbox.demo_watch import Tell, Watch
from pbx_plugin.sandbox.phone import Leg, Phone
from pbx_plugin.sandbox.site_people import ddi_of

CONSENT_NUMBER = ddi_of("701")
LISTENS_S = 5.0
THINKS_S = 1.0
TALKS_S = 5.0
QUIET_S = 3.0
RINGS_S = 20.0


@dataclass(frozen=True, slots=True)
class Scene:
    """What a call needs: everybody's phone by name, a way to say what happens, a way to see what became of it."""

    phones: Mapping[str, Phone]
    tell: Tell
    watch: Watch

    def phone(self, person: Person) -> Phone:
        """Return somebody's phone."""
        return self.phones[person.name]

    def dials(self, person: Person, number: str, what: str) -> Leg:
        """Let somebody dial."""
        self.tell(person.first_name, f"dials {spoken(number)}, {what}")
        return self.phone(person).dial(number)

    def answers(self, person: Person) -> Leg:
        """Let somebody's phone ring, and be answered."""
        leg = self.phone(person).wait_incoming(RINGS_S)
        self.tell(person.first_name, "phone rings")
        time.sleep(THINKS_S)
        leg.answer()
        leg.wait("CONFIRMED")
        self.tell(person.first_name, "answers")
        return leg

    def star_four(self, person: Person, leg: Leg, meaning: str) -> None:
        """Let a user press the star code."""
        self.tell(person.first_name, f"presses *4: {meaning}", "bold magenta")
        leg.dtmf("*4")

    def hangs_up(self, person: Person, leg: Leg, other: Leg) -> None:
        """Let somebody end the call."""
        self.tell(person.first_name, "hangs up")
        leg.hangup()
        other.wait_ended()

    def recorded(self, person: Person, count: int, state: str) -> None:
        """Wait until so many recordings of an outside caller have come to this state."""
        missing = f"{person.first_name}'s recording number {count} is not '{state}'"
        self.watch.wait(missing, lambda: len(self.watch.recordings(person.number, state)) >= count)

    def decided(self, person: Person) -> None:
        """Wait until it is decided whether an outside caller is recorded."""

        def is_decided() -> bool:
            call = self.watch.call_from(person.number)
            return bool(call and call.decisions)

        self.watch.wait(f"nothing was decided of {person.first_name}'s call", is_decided)

    def over(self, person: Person) -> None:
        """Wait until an outside caller's call is written down as ended, and every file of it is stored."""

        def is_over() -> bool:
            call = self.watch.call_from(person.number)
            settled = {"stored", "failed", "erased"}
            return bool(call and call.call.ended_at and all(one.state in settled for one in call.recordings))

        self.watch.wait(f"{person.first_name}'s call did not come to its end in the books", is_over)


def consent_given(scene: Scene) -> None:
    """Call 1: the caller consents and reaches the recorded group; the agent switches off and on again."""
    caller = _asked(scene, CLARA, "1", "yes, you may record")
    agent = scene.answers(RIKKE)
    scene.recorded(CLARA, 1, "recording")
    _talk(scene, TALKS_S)
    scene.star_four(RIKKE, agent, "recording off")
    scene.recorded(CLARA, 1, "stored")
    _talk(scene, QUIET_S, "they talk on, unrecorded")
    scene.star_four(RIKKE, agent, "recording on again")
    scene.recorded(CLARA, 1, "recording")
    _talk(scene, TALKS_S)
    scene.hangs_up(RIKKE, agent, caller)
    scene.over(CLARA)


def consent_refused(scene: Scene) -> None:
    """Call 2: the caller refuses and reaches the unrecorded group; the agent's star code cannot change that."""
    caller = _asked(scene, ROSA, "2", "no, do not record")
    agent = scene.answers(SARA)
    scene.decided(ROSA)
    _talk(scene, QUIET_S)
    scene.star_four(SARA, agent, "but a refusal stays with the call")
    _talk(scene, QUIET_S)
    scene.hangs_up(SARA, agent, caller)
    scene.over(ROSA)


def on_demand(scene: Scene) -> None:
    """Call 3: nobody was asked; the user switches recording on, and the caller is told before it begins."""
    caller = scene.dials(DAVID, ddi_of(ODA.number), f"the direct number of {ODA.name}")
    user = scene.answers(ODA)
    scene.decided(DAVID)
    _talk(scene, QUIET_S, "they talk, unrecorded")
    scene.star_four(ODA, user, "please record this")
    scene.recorded(DAVID, 1, "recording")
    _talk(scene, TALKS_S)
    scene.star_four(ODA, user, "that is enough")
    scene.recorded(DAVID, 1, "stored")
    scene.hangs_up(ODA, user, caller)
    scene.over(DAVID)


def _asked(scene: Scene, person: Person, key: str, meaning: str) -> Leg:
    leg = scene.dials(person, CONSENT_NUMBER, "the consent number")
    leg.wait_media()
    scene.tell(person.first_name, "hears: “With your permission we record this call… Press 1… Press 2…”")
    leg.still_up(LISTENS_S)
    scene.tell(person.first_name, f"presses {key}: {meaning}", "bold magenta")
    leg.dtmf(key)
    return leg


def _talk(scene: Scene, seconds: float, what: str = "they talk") -> None:
    scene.tell("", f"{what} for {seconds:.0f} s", "dim")
    time.sleep(seconds)
