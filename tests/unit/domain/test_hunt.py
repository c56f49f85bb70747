"""Hunting for a user who answers, told as it happens: who is rung when, who wins, who is told what."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pbx_plugin.domain import hunt_commands as c
from pbx_plugin.domain import hunt_events as e
from pbx_plugin.domain.bridging import Bridging, Strategy
from pbx_plugin.domain.call import User
from pbx_plugin.domain.hunt import GRACE, step
from pbx_plugin.domain.hunt_plan import Agent, Plan, plans_of
from pbx_plugin.domain.hunt_state import Floor, hunt_of, leg_name
from pbx_plugin.domain.policy import GroupKind, HuntGroup
from pbx_plugin.domain.rulebook import GroupMember, Rulebook

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
GROUP = "g"
USERS = ("anna", "bent", "carla")


class Story:
    """One floor with one group of three; each step returns what is to be done."""

    def __init__(self, strategy: Strategy = Strategy.RING_ALL, *, wrap_up: int = 0, music: bool = False) -> None:
        bridging = Bridging(True, strategy, ring_seconds=10, wait_seconds=60, wrap_up_seconds=wrap_up, music=music)
        self.plans = {GROUP: Plan(GROUP, bridging, tuple(Agent(user, (f"PJSIP/{user}",)) for user in USERS))}
        self.floor = Floor()
        self.at = NOON
        self.rung: dict[str, str] = {}

    def _step(self, event: e.Event) -> list[c.Command]:
        self.floor, commands = step(self.floor, event, self.plans)
        self.rung |= {one.leg: one.device.removeprefix("PJSIP/") for one in commands if isinstance(one, c.Ring)}
        return commands

    def leg(self, user: str, hunt: str = "c1") -> str:
        """The latest leg on which a user was rung for a caller."""
        return [leg for leg, rung in self.rung.items() if rung == user and hunt_of(leg) == hunt][-1]

    def enters(self, caller: str = "c1", group: str = GROUP) -> list[c.Command]:
        return self._step(e.CallerEntered(self.at, caller, group))

    def leaves(self, caller: str = "c1") -> list[c.Command]:
        return self._step(e.CallerGone(self.at, caller))

    def handed_over(self, caller: str, by: str) -> list[c.Command]:
        return self._step(e.CallerReplaced(self.at, caller, by))

    def answers(self, user: str, hunt: str = "c1") -> list[c.Command]:
        return self._step(e.LegAnswered(self.at, self.leg(user, hunt)))

    def ends(self, user: str, end: e.LegEnd = e.LegEnd.NO_ANSWER, hunt: str = "c1") -> list[c.Command]:
        return self._step(e.LegEnded(self.at, self.leg(user, hunt), end))

    def in_bridge(self, members: int, hunt: str = "c1") -> list[c.Command]:
        return self._step(e.BridgeChanged(self.at, hunt, members))

    def passes(self, seconds: float) -> list[c.Command]:
        """Let time pass, in steps of a quarter of a second."""
        commands = []
        for _ in range(round(seconds * 4)):
            self.at += timedelta(seconds=0.25)
            commands += self._step(e.TimePassed(self.at))
        return commands

    def found(self, *calls: e.FoundCall) -> list[c.Command]:
        return self._step(e.Found(self.at, calls))

    def talks(self, user: str, hunt: str = "c1") -> None:
        """A user answers, and both are heard."""
        self.answers(user, hunt)
        self.in_bridge(1, hunt)
        self.in_bridge(2, hunt)

    def talked(self, user: str, hunt: str = "c1") -> None:
        """A whole call, from the answer to its end."""
        self.talks(user, hunt)
        self.ends(user, hunt=hunt)
        self.in_bridge(1, hunt)
        self.leaves(hunt)
        self.in_bridge(0, hunt)
        self.passes(0.5)


def rung(commands: list[c.Command]) -> list[str]:
    return [one.device.removeprefix("PJSIP/") for one in commands if isinstance(one, c.Ring)]


def of(kind: type[c.Command], commands: list[c.Command]) -> list[c.Command]:
    return [one for one in commands if isinstance(one, kind)]


# Who is rung


def test_all_are_rung_at_once_and_the_caller_hears_ringing() -> None:
    story = Story()
    commands = story.enters()
    assert commands[0] == c.Comfort("c1", "c1", music=False)
    assert rung(commands) == [*USERS]
    assert {one.seconds for one in commands if isinstance(one, c.Ring)} == {10}


def test_the_caller_hears_music_where_the_group_says_so() -> None:
    assert Story(music=True).enters()[0] == c.Comfort("c1", "c1", music=True)


def test_in_order_each_rings_for_its_time_and_then_the_next() -> None:
    story = Story(Strategy.IN_ORDER)
    assert rung(story.enters()) == ["anna"]
    assert story.passes(9.75) == []
    commands = story.passes(0.25)
    assert commands[0] == c.Stop("c1", story.leg("anna"))
    assert rung(commands) == ["bent"]
    assert rung(story.passes(10)) == ["carla"]
    assert rung(story.passes(10.75)) == []
    assert rung(story.passes(0.25)) == ["anna"]


@pytest.mark.parametrize("end", list(e.LegEnd))
def test_in_order_a_phone_that_ends_its_ringing_makes_the_next_one_ring_at_once(end: e.LegEnd) -> None:
    story = Story(Strategy.IN_ORDER)
    story.enters()
    assert rung(story.ends("anna", end)) == ["bent"]


def test_in_order_the_first_is_asked_first_for_every_caller() -> None:
    story = Story(Strategy.IN_ORDER)
    story.enters()
    story.talked("anna")
    assert rung(story.enters("c2")) == ["anna"]


def test_round_robin_begins_behind_the_one_who_was_rung_last() -> None:
    story = Story(Strategy.ROUND_ROBIN)
    order = []
    for number in range(4):
        order += rung(story.enters(f"c{number}"))
        story.talked(order[-1], f"c{number}")
    assert order == ["anna", "bent", "carla", "anna"]


def test_least_recent_asks_who_has_rested_longest() -> None:
    story = Story(Strategy.LEAST_RECENT)
    for number, user in enumerate(("anna", "bent", "carla", "anna")):
        assert rung(story.enters(f"c{number}")) == [user]
        story.talked(user, f"c{number}")
        story.passes(5)
    assert rung(story.enters("c9")) == ["bent"]


def test_all_phones_of_a_user_ring() -> None:
    story = Story(Strategy.IN_ORDER)
    agent = Agent("anna", ("PJSIP/desk", "PJSIP/mobile"))
    story.plans[GROUP] = Plan(GROUP, story.plans[GROUP].bridging, (agent, Agent("bent", ("PJSIP/bent",))))
    assert rung(story.enters()) == ["desk", "mobile"]
    assert rung(story.ends("desk", e.LegEnd.BUSY)) == []
    assert rung(story.ends("mobile", e.LegEnd.BUSY)) == ["bent"]


def test_whoever_said_busy_is_left_alone_for_a_while_and_asked_again() -> None:
    story = Story(Strategy.IN_ORDER)
    story.enters()
    for user in USERS:
        story.ends(user, e.LegEnd.BUSY)
    assert rung(story.passes(4.75)) == []
    assert rung(story.passes(0.25)) == ["anna"]


# Who wins


def test_the_first_to_answer_is_connected_and_the_others_are_told_so() -> None:
    story = Story()
    story.enters()
    assert story.answers("bent") == [
        c.Connect("c1", "c1", story.leg("bent")),
        c.Stop("c1", story.leg("anna"), elsewhere=True),
        c.Stop("c1", story.leg("carla"), elsewhere=True),
    ]


def test_who_answers_a_moment_later_is_told_so_too() -> None:
    story = Story()
    story.enters()
    story.answers("bent")
    assert story.answers("anna") == [c.Stop("c1", story.leg("anna"), elsewhere=True)]


def test_an_answer_told_twice_connects_once() -> None:
    story = Story()
    story.enters()
    story.answers("bent")
    assert story.answers("bent") == []


def test_an_answer_for_a_caller_who_is_gone_is_ended() -> None:
    story = Story()
    story.enters()
    story.leaves()
    assert of(c.Stop, story.answers("bent")) == [c.Stop("", story.leg("bent"), elsewhere=True)]


def test_who_answers_and_is_gone_before_being_heard_leaves_the_caller_waiting() -> None:
    story = Story(Strategy.IN_ORDER)
    story.enters()
    story.answers("anna")
    commands = story.ends("anna")
    assert of(c.Comfort, commands) == [c.Comfort("c1", "c1", music=False)]
    assert rung(commands) == ["bent"]


# Who is left alone


def test_a_user_who_talks_is_not_rung_for_the_next_caller() -> None:
    story = Story()
    story.enters()
    story.talks("bent")
    assert rung(story.enters("c2")) == ["anna", "carla"]


def test_phones_that_ring_for_one_caller_ring_for_the_next_when_they_are_free() -> None:
    story = Story()
    story.enters("c1")
    assert rung(story.enters("c2")) == []
    assert rung(story.answers("bent")) == ["anna", "carla"]
    story.answers("anna", "c2")
    assert rung(story.enters("c3")) == ["carla"]


def test_the_longest_waiting_caller_is_served_first() -> None:
    story = Story(Strategy.IN_ORDER)
    for caller in ("c1", "c2", "c3"):
        story.enters(caller)
        story.talks(story.rung[story.leg(USERS[int(caller[1]) - 1], caller)], caller)
    story.enters("early")
    story.passes(1)
    story.enters("late")
    story.ends("bent", hunt="c2")
    assert hunt_of(story.leg("bent", "early")) == "early"
    assert "late" not in {hunt_of(leg) for leg in story.rung}


def test_after_a_call_a_user_has_time_to_wrap_up() -> None:
    story = Story(wrap_up=15)
    story.enters()
    story.talked("anna")
    assert rung(story.enters("c2")) == ["bent", "carla"]
    story.answers("bent", "c2")
    story.enters("c3")
    ended = story.floor.rested["anna"]
    while story.at - ended < timedelta(seconds=14.5):
        assert "anna" not in rung(story.passes(0.25))
    assert "anna" in rung(story.passes(1))


def test_nobody_is_rung_for_two_callers_because_the_clock_stood_still() -> None:
    story = Story()
    for number in range(5):
        story.enters(f"c{number}")
    assert Counter(story.rung.values()) == {"anna": 1, "bent": 1, "carla": 1}


# How waiting ends


def test_a_caller_who_hangs_up_stops_all_phones_which_show_a_missed_call() -> None:
    story = Story()
    story.enters()
    assert story.leaves() == [c.Stop("c1", story.leg(user)) for user in USERS]
    assert story.floor.hunts == {}


def test_a_caller_who_hangs_up_as_somebody_answers_leaves_nobody_and_no_bridge() -> None:
    story = Story()
    story.enters()
    story.answers("bent")
    assert story.leaves() == [c.EndCall("c1"), c.Stop("c1", story.leg("bent"))]


def test_after_the_longest_wait_the_caller_goes_back_and_all_phones_stop() -> None:
    story = Story()
    story.enters()
    commands = story.passes(60)
    assert commands[-1] == c.GiveBack("c1", "c1", c.Outcome.NO_ANSWER)
    rings, stops = of(c.Ring, commands), of(c.Stop, commands)
    assert len(stops) == len(rings) + 3
    assert story.passes(60) == []


def test_when_all_said_busy_until_the_end_the_caller_hears_busy() -> None:
    story = Story()
    story.enters()
    commands: list[c.Command] = []
    for _ in range(240):
        for leg in [leg for hunt in story.floor.hunts.values() for leg in hunt.legs]:
            story._step(e.LegEnded(story.at, leg, e.LegEnd.BUSY))
        commands += story.passes(0.25)
    assert of(c.GiveBack, commands) == [c.GiveBack("c1", "c1", c.Outcome.BUSY)]


def test_when_all_talk_until_the_end_the_caller_hears_busy() -> None:
    story = Story()
    for number, user in enumerate(USERS):
        story.enters(f"c{number}")
        story.talks(user, f"c{number}")
    story.enters("c9")
    assert of(c.GiveBack, story.passes(60)) == [c.GiveBack("c9", "c9", c.Outcome.BUSY)]


def test_when_no_phone_can_be_reached_the_caller_does_not_wait() -> None:
    story = Story()
    story.enters()
    story.ends("anna", e.LegEnd.UNREACHABLE)
    story.ends("bent", e.LegEnd.UNREACHABLE)
    assert story.ends("carla", e.LegEnd.UNREACHABLE) == [c.GiveBack("c1", "c1", c.Outcome.UNREACHABLE)]


def test_one_phone_that_cannot_be_reached_does_not_send_the_caller_away_while_another_is_busy() -> None:
    story = Story()
    story.enters()
    story.ends("anna", e.LegEnd.UNREACHABLE)
    story.ends("bent", e.LegEnd.UNREACHABLE)
    assert of(c.GiveBack, story.ends("carla", e.LegEnd.BUSY)) == []


@pytest.mark.parametrize("group", ["unknown", "empty"])
def test_a_group_that_is_not_ours_or_has_nobody_goes_back_to_be_rung_in_asterisks_own_way(group: str) -> None:
    story = Story()
    story.plans["empty"] = Plan("empty", story.plans[GROUP].bridging, ())
    assert story.enters(group=group) == [c.GiveBack("c1", "c1", c.Outcome.NOT_OURS)]


def test_a_caller_who_comes_twice_is_hunted_for_once() -> None:
    story = Story()
    story.enters()
    assert story.enters() == []


def test_a_waiting_call_that_is_handed_over_waits_on_with_the_same_phones() -> None:
    story = Story()
    story.enters()
    assert story.handed_over("c1", "other") == [c.Comfort("c1", "other", music=False)]
    assert story.leaves("c1") == []
    assert of(c.Connect, story.answers("anna")) == [c.Connect("c1", "other", story.leg("anna"))]


# How talking ends


def test_who_is_left_alone_is_let_go_and_a_moment_is_allowed_for_a_transfer() -> None:
    story = Story()
    story.enters()
    story.talks("anna")
    assert story.in_bridge(1) == []
    story.at += GRACE / 2
    assert story.in_bridge(2) == []
    assert story.passes(10) == []
    story.in_bridge(1)
    assert story.passes(0.5) == [c.EndCall("c1")]
    assert story.floor.hunts == {}


def test_who_is_left_alone_is_not_kept_longer_by_hearing_of_it_twice() -> None:
    story = Story()
    story.enters()
    story.talks("anna")
    story.in_bridge(1)
    story.at += GRACE
    assert story.in_bridge(1) == [c.EndCall("c1")]


def test_a_caller_who_is_in_the_bridge_first_is_not_left_alone() -> None:
    story = Story()
    story.enters()
    story.answers("anna")
    story.in_bridge(1)
    assert story.passes(2) == []


def test_a_talking_caller_who_hands_over_hears_no_ringing() -> None:
    story = Story()
    story.enters()
    story.talks("anna")
    assert story.handed_over("c1", "other") == []


def test_a_call_goes_on_without_its_caller_who_was_transferred() -> None:
    story = Story()
    story.enters()
    story.talks("anna")
    assert story.leaves() == []
    assert story.passes(5) == []


def test_a_user_who_transferred_the_caller_is_free_while_that_call_goes_on() -> None:
    story = Story()
    story.enters()
    story.talks("anna")
    story.in_bridge(1)
    story.in_bridge(2)
    story.ends("anna")
    assert rung(story.enters("c2")) == [*USERS]


# Coming back


def leg(user: str, number: int, *, up: bool = False, joined: bool = False) -> e.FoundLeg:
    return e.FoundLeg(leg_name("c1", number), f"PJSIP/{user}", up, joined)


def test_after_a_restart_a_call_goes_on_and_its_user_is_engaged() -> None:
    story = Story()
    assert story.found(e.FoundCall("c1", "c1", GROUP, 2, (leg("anna", 1, up=True, joined=True),))) == []
    assert rung(story.enters("c2")) == ["bent", "carla"]
    story.in_bridge(1)
    assert story.passes(0.5)[0] == c.EndCall("c1")


def test_after_a_restart_who_was_left_alone_meanwhile_is_let_go_at_once() -> None:
    story = Story()
    assert story.found(e.FoundCall("c1", "c1", GROUP, 1)) == [c.EndCall("c1")]


def test_after_a_restart_a_waiting_caller_waits_on_while_the_same_phones_ring() -> None:
    story = Story()
    assert story.found(e.FoundCall("c1", "c1", GROUP, 0, tuple(leg(u, n + 4) for n, u in enumerate(USERS)))) == []
    story.rung = {leg_name("c1", 5): "bent"}
    assert of(c.Connect, story.answers("bent")) == [c.Connect("c1", "c1", leg_name("c1", 5))]


def test_after_a_restart_new_phones_get_names_of_their_own() -> None:
    story = Story()
    story.found(e.FoundCall("c1", "c1", GROUP, 0, (leg("anna", 7),)))
    assert min(int(name.rpartition("-")[2]) for name in story.rung) == 8


def test_after_a_restart_who_answered_meanwhile_is_connected_and_the_others_stop() -> None:
    story = Story()
    assert story.found(e.FoundCall("c1", "c1", GROUP, 0, (leg("anna", 1), leg("bent", 2, up=True)))) == [
        c.Connect("c1", "c1", leg_name("c1", 2)),
        c.Stop("c1", leg_name("c1", 1), elsewhere=True),
    ]


def test_after_a_restart_phones_that_ring_for_nobody_stop() -> None:
    story = Story()
    assert of(c.Stop, story.found(e.FoundCall("c1", "", "", 0, (leg("anna", 1),)))) == [c.Stop("c1", leg_name("c1", 1))]


def test_a_mere_reconnection_keeps_how_long_a_caller_has_waited() -> None:
    story = Story()
    story.enters()
    story.passes(59)
    story.found(e.FoundCall("c1", "c1", GROUP, 0))
    assert of(c.GiveBack, story.passes(1)) == [c.GiveBack("c1", "c1", c.Outcome.NO_ANSWER)]


def test_what_is_not_found_any_more_is_forgotten() -> None:
    story = Story()
    story.enters()
    story.talks("anna")
    story.found()
    assert story.floor.hunts == {}
    assert rung(story.enters("c2")) == [*USERS]


# The rulebook, and everything at once


def test_only_groups_that_are_set_so_are_ours_and_users_are_rung_in_the_companys_order() -> None:
    users = tuple(User(name, "t", name, "1", devices=devices) for name, devices in (("a", ("PJSIP/1",)), ("b", ())))
    groups = (
        HuntGroup("ours", "t", "600", "ours", GroupKind.QUEUE, Bridging(on=True)),
        HuntGroup("not", "t", "601", "not", GroupKind.QUEUE),
    )
    members = (GroupMember("ours", "b", 0), GroupMember("ours", "a", 1), GroupMember("not", "a", 0))
    plans = plans_of(Rulebook(users=users, groups=groups, members=members))
    assert plans == {"ours": Plan("ours", Bridging(on=True), (Agent("a", ("PJSIP/1",)),))}


@pytest.mark.parametrize("name", ["", "hunt-", "hunt-c1", "pbxrec-c1-2", "c1-2", "hunt-c1-x"])
def test_channels_of_others_belong_to_no_hunt(name: str) -> None:
    assert hunt_of(name) == ""


def test_the_hunt_of_a_phone_is_read_from_its_name_whatever_the_caller_is_called() -> None:
    assert hunt_of(leg_name("my-pbx-1795327094.12", 3)) == "my-pbx-1795327094.12"


MOVES = st.lists(
    st.tuples(st.sampled_from(["enter", "leave", "answer", "end", "busy", "two", "one", "time"]), st.integers(0, 3)),
    max_size=60,
)


@given(MOVES, st.sampled_from(list(Strategy)), st.integers(0, 3))
def test_whatever_happens_nobody_is_engaged_twice_and_every_phone_is_ended_or_connected(
    moves: list[tuple[str, int]], strategy: Strategy, wrap_up: int
) -> None:
    story = Story(strategy, wrap_up=wrap_up)
    ringing: set[str] = set()
    talking: dict[str, str] = {}
    for what, number in moves:
        caller, alive = f"c{number}", sorted(ringing)
        chosen = alive[number % len(alive)] if alive else leg_name("gone", 1)
        events: dict[str, e.Event] = {
            "enter": e.CallerEntered(story.at, caller, GROUP),
            "leave": e.CallerGone(story.at, caller),
            "answer": e.LegAnswered(story.at, chosen),
            "end": e.LegEnded(story.at, chosen),
            "busy": e.LegEnded(story.at, chosen, e.LegEnd.BUSY),
            "two": e.BridgeChanged(story.at, caller, 2),
            "one": e.BridgeChanged(story.at, caller, 1),
        }
        commands = story.passes(number * 3) if what == "time" else story._step(events[what])
        if what in ("end", "busy"):
            ringing.discard(chosen)
        for one in commands:
            match one:
                case c.Ring():
                    ringing.add(one.leg)
                case c.Stop():
                    ringing.discard(one.leg)
                case c.Connect():
                    talking[one.hunt] = one.leg
                case c.EndCall():
                    ringing.discard(talking[one.hunt])
                case c.GiveBack():
                    assert one.hunt not in story.floor.hunts
        engaged = [user for hunt in story.floor.hunts.values() for user in hunt.engaged if user]
        assert len(engaged) == len(set(engaged))
        assert ringing <= {leg for hunt in story.floor.hunts.values() for leg in (*hunt.legs, hunt.answered)}
