"""Hunting for a user to answer: ``step(floor, event, plans) -> (floor, commands)``. Pure; all waiting is by ``at``.

The *floor* holds every caller of the groups that we bridge, and who rests since when. An event changes it; then
callers are served in the order in which they came. Whoever is rung or talks for one caller is not rung for another.
Doubled and late events are harmless, and :class:`hunt_events.Found` builds the floor anew from what Asterisk has.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta

from pbx_plugin.domain.bridging import Bridging, Strategy
from pbx_plugin.domain.hunt_commands import Comfort, Command, Connect, EndCall, GiveBack, Outcome, Ring, Stop
from pbx_plugin.domain.hunt_events import (
    BridgeChanged,
    CallerEntered,
    CallerGone,
    CallerReplaced,
    Event,
    Found,
    FoundCall,
    FoundLeg,
    LegAnswered,
    LegEnd,
    LegEnded,
    TimePassed,
)
from pbx_plugin.domain.hunt_plan import Agent, Plan, Plans
from pbx_plugin.domain.hunt_state import Floor, Hunt, Ringing, hunt_of, leg_name

PAUSE = timedelta(seconds=1)
"""Between two rounds in which everybody free was rung."""

PEACE = timedelta(seconds=5)
"""How long a phone that ended the ringing by itself (busy, refused, not reached) is left alone by the same caller."""

GRACE = timedelta(milliseconds=300)
"""How long somebody may be alone in a bridge: in a transfer one channel leaves before the next one comes."""


def step(floor: Floor, event: Event, plans: Plans) -> tuple[Floor, list[Command]]:
    """Return the floor after an event, and what is to be done now, in order."""
    turn = _Turn(floor, event.at, plans)
    match event:
        case CallerEntered():
            turn.enter(event)
        case CallerReplaced():
            turn.hand_over(event)
        case CallerGone():
            turn.caller_gone(event.caller)
        case LegAnswered():
            turn.answer(event.leg)
        case LegEnded():
            turn.leg_ended(event)
        case BridgeChanged():
            turn.bridge_changed(event)
        case Found():
            turn.found(event)
        case TimePassed():
            pass  # what time asks for is looked at below, after every event
    turn.serve()
    return turn.floor, turn.commands


class _Turn:
    """One step: the floor as it changes, and what is asked for."""

    def __init__(self, floor: Floor, at: datetime, plans: Plans) -> None:
        self.floor = floor
        self.at = at
        self.plans = plans
        self.commands: list[Command] = []

    def enter(self, event: CallerEntered) -> None:
        if any(event.caller in (hunt.id, hunt.caller) for hunt in self.floor.hunts.values()):
            return
        hunt = Hunt(event.caller, event.caller, event.group_id, event.at)
        self._put(hunt)
        self._comfort(hunt)

    def hand_over(self, event: CallerReplaced) -> None:
        hunt = self._of_caller(event.caller)
        if hunt is None or not hunt.waiting:
            return
        hunt = replace(hunt, caller=event.by)
        self._put(hunt)
        self._comfort(hunt)

    def caller_gone(self, caller: str) -> None:
        hunt = self._of_caller(caller)
        if hunt is None or hunt.joined:
            return  # who talks is followed by the bridge: a transferred caller's call goes on
        self._drop(hunt)
        self._do(*(Stop(hunt.id, leg) for leg in hunt.legs))
        if hunt.answered:
            self._do(EndCall(hunt.id), Stop(hunt.id, hunt.answered))

    def answer(self, leg: str) -> None:
        hunt = self._of_leg(leg)
        if hunt is None or leg not in hunt.legs:
            if hunt is None or hunt.answered != leg:
                self._do(Stop(hunt.id if hunt else "", leg, elsewhere=True))
            return
        losers = [other for other in hunt.legs if other != leg]
        self._put(replace(hunt, legs={}, answered=leg, user_id=hunt.legs[leg].user_id))
        self._do(Connect(hunt.id, hunt.caller, leg), *(Stop(hunt.id, other, elsewhere=True) for other in losers))

    def leg_ended(self, event: LegEnded) -> None:
        hunt = self._of_leg(event.leg)
        if hunt is None:
            return
        if event.leg in hunt.legs:
            self._put(_without(hunt, event.leg, event.end, event.at + PEACE))
        elif event.leg == hunt.answered:
            self._rests(hunt.user_id)
            if hunt.joined:
                self._put(replace(hunt, user_id=""))
            else:  # gone before it was heard: the caller is still hunted for
                self._put(replace(hunt, user_id="", answered=""))
                self._comfort(hunt)

    def bridge_changed(self, event: BridgeChanged) -> None:
        hunt = self.floor.hunts.get(event.hunt)
        if hunt is None:
            return
        alone = (hunt.alone_since or event.at) if hunt.joined and event.members < 2 else None
        self._put(replace(hunt, joined=hunt.joined or event.members > 1, alone_since=alone))

    def found(self, event: Found) -> None:
        known = self.floor.hunts
        for hunt in tuple(known.values()):
            self._drop(hunt)
        for call in event.calls:
            self._adopt(call, known.get(call.hunt))

    def _adopt(self, call: FoundCall, known: Hunt | None) -> None:
        hunt = known or Hunt(call.hunt, call.caller, call.group_id, self.at)
        inside = next((leg for leg in call.legs if leg.joined), None)
        up = next((leg for leg in call.legs if leg.up and not leg.joined), None)
        others = [leg for leg in call.legs if leg not in (inside, up)]
        user_id = self._user_at(call, inside or up)
        counter = max([hunt.counter, *(_number(leg.leg) for leg in call.legs)])
        hunt = replace(hunt, caller=call.caller, legs={}, counter=counter, joined=False, answered="", alone_since=None)
        if call.members > 1:
            answered = inside.leg if inside else "somebody"
            self._put(replace(hunt, answered=answered, user_id=user_id, joined=True))
            self._do(*(Stop(call.hunt, leg.leg, elsewhere=True) for leg in call.legs if leg is not inside))
        elif call.caller and up is not None:
            self._put(replace(hunt, answered=up.leg, user_id=user_id))
            self._do(Connect(call.hunt, call.caller, up.leg))
            self._do(*(Stop(call.hunt, leg.leg, elsewhere=True) for leg in others))
        elif call.members:
            self._do(EndCall(call.hunt), *(Stop(call.hunt, leg.leg) for leg in call.legs if not leg.joined))
        elif call.caller:
            legs = {leg.leg: Ringing(self._user_at(call, leg), self.at) for leg in call.legs}
            tried = hunt.tried | {ringing.user_id for ringing in legs.values()}
            self._put(replace(hunt, legs=legs, tried=tried))
        else:
            self._do(EndCall(call.hunt), *(Stop(call.hunt, leg.leg) for leg in call.legs))

    def _user_at(self, call: FoundCall, leg: FoundLeg | None) -> str:
        plan = self.plans.get(call.group_id)
        agents: Iterable[Agent] = plan.agents if plan else (a for p in self.plans.values() for a in p.agents)
        return next((a.user_id for a in agents if leg is not None and leg.device in a.devices), "")

    def _comfort(self, hunt: Hunt) -> None:
        plan = self.plans.get(hunt.group_id)
        if plan is not None and plan.agents:
            self._do(Comfort(hunt.id, hunt.caller, plan.bridging.music))

    # Whose turn it is

    def serve(self) -> None:
        """Ring for every caller whom nobody has answered, the longest waiting first; end what time has ended."""
        for hunt in tuple(self.floor.hunts.values()):
            if hunt.alone_since is not None and self.at - hunt.alone_since >= GRACE:
                self._drop(hunt)
                self._do(EndCall(hunt.id))
            elif hunt.waiting:
                self._serve(hunt)

    def _serve(self, hunt: Hunt) -> None:
        plan = self.plans.get(hunt.group_id)
        if plan is None or not plan.agents:
            return self._give_back(hunt, Outcome.NOT_OURS)
        bridging = plan.bridging
        if self.at - hunt.since >= timedelta(seconds=bridging.wait_seconds):
            return self._give_back(hunt, _outcome(hunt))
        for leg, ringing in tuple(hunt.legs.items()):
            if self.at - ringing.since >= timedelta(seconds=bridging.ring_seconds):
                hunt = _without(hunt, leg, LegEnd.NO_ANSWER)
                self._do(Stop(hunt.id, leg))
        self._put(hunt)
        if hunt.round_at is not None and self.at < hunt.round_at:
            return None
        free = [agent for agent in self._ordered(plan) if self._is_free(agent, hunt, bridging)]
        if bridging.strategy is not Strategy.RING_ALL:
            free = [] if hunt.legs else free[:1]
        for agent in free:
            hunt = self._ring(hunt, agent, bridging)
        if hunt.tried and not hunt.legs:
            if hunt.ends == {LegEnd.UNREACHABLE} and hunt.tried >= {agent.user_id for agent in plan.agents}:
                return self._give_back(hunt, Outcome.UNREACHABLE)
            hunt = replace(hunt, tried=frozenset(), round_at=self.at + PAUSE)
        self._put(hunt)
        return None

    def _ring(self, hunt: Hunt, agent: Agent, bridging: Bridging) -> Hunt:
        legs = dict(hunt.legs)
        counter = hunt.counter
        for device in agent.devices:
            counter += 1
            leg = leg_name(hunt.id, counter)
            legs[leg] = Ringing(agent.user_id, self.at)
            self._do(Ring(hunt.id, hunt.caller, leg, device, bridging.ring_seconds))
        self.floor = replace(self.floor, turn={**self.floor.turn, hunt.group_id: agent.user_id})
        hunt = replace(hunt, legs=legs, counter=counter, tried=hunt.tried | {agent.user_id})
        self._put(hunt)
        return hunt

    def _is_free(self, agent: Agent, hunt: Hunt, bridging: Bridging) -> bool:
        rested = self.floor.rested.get(agent.user_id)
        peace = hunt.not_before.get(agent.user_id)
        return not (
            agent.user_id in hunt.tried
            or any(agent.user_id in other.engaged for other in self.floor.hunts.values())
            or (rested is not None and self.at - rested < timedelta(seconds=bridging.wrap_up_seconds))
            or (peace is not None and self.at < peace)
        )

    def _ordered(self, plan: Plan) -> list[Agent]:
        agents = list(plan.agents)
        match plan.bridging.strategy:
            case Strategy.LEAST_RECENT:
                never = datetime.min.replace(tzinfo=self.at.tzinfo)
                return sorted(agents, key=lambda agent: self.floor.rested.get(agent.user_id, never))
            case Strategy.ROUND_ROBIN:
                last = self.floor.turn.get(plan.group_id)
                first = next((n + 1 for n, agent in enumerate(agents) if agent.user_id == last), 0)
                return agents[first:] + agents[:first]
            case _:
                return agents

    def _give_back(self, hunt: Hunt, outcome: Outcome) -> None:
        self._drop(hunt)
        self._do(*(Stop(hunt.id, leg) for leg in hunt.legs), GiveBack(hunt.id, hunt.caller, outcome))

    # The floor

    def _do(self, *commands: Command) -> None:
        self.commands.extend(commands)

    def _put(self, hunt: Hunt) -> None:
        self.floor = replace(self.floor, hunts={**self.floor.hunts, hunt.id: hunt})

    def _drop(self, hunt: Hunt) -> None:
        if hunt.joined:
            self._rests(hunt.user_id)
        hunts = {key: other for key, other in self.floor.hunts.items() if key != hunt.id}
        self.floor = replace(self.floor, hunts=hunts)

    def _rests(self, user_id: str) -> None:
        if user_id:
            self.floor = replace(self.floor, rested={**self.floor.rested, user_id: self.at})

    def _of_caller(self, caller: str) -> Hunt | None:
        return next((hunt for hunt in self.floor.hunts.values() if hunt.caller == caller), None)

    def _of_leg(self, leg: str) -> Hunt | None:
        return self.floor.hunts.get(hunt_of(leg))


def _number(leg: str) -> int:
    return int(leg.rpartition("-")[2])


def _without(hunt: Hunt, leg: str, end: LegEnd, not_before: datetime | None = None) -> Hunt:
    """Return the hunt without a phone that rang; its user is not rung again before the time given."""
    user_id = hunt.legs[leg].user_id
    legs = {other: ringing for other, ringing in hunt.legs.items() if other != leg}
    later = hunt.not_before if not_before is None else {**hunt.not_before, user_id: not_before}
    return replace(hunt, legs=legs, ends=hunt.ends | {end}, not_before=later)


def _outcome(hunt: Hunt) -> Outcome:
    """Say why nobody answered: some phone rang in vain, none could be reached, or all were busy."""
    if LegEnd.NO_ANSWER in hunt.ends or hunt.legs:
        return Outcome.NO_ANSWER
    return Outcome.UNREACHABLE if hunt.ends == {LegEnd.UNREACHABLE} else Outcome.BUSY
