"""What Asterisk's lists say of our hunts after we were away."""

from __future__ import annotations

from typing import Any

from pbx_plugin.bridge_app.finding import bridge_hunt, found_calls, members_of
from pbx_plugin.domain.hunt_events import FoundCall, FoundLeg

APP = "pbxrec-bridge"


def channel(
    channel_id: str, name: str, app_data: str = "", *, state: str = "Up", app: str = "Stasis"
) -> dict[str, Any]:
    plan = {"app_name": app, "app_data": app_data}
    return {"id": channel_id, "name": name, "state": state, "dialplan": plan, "creationtime": channel_id}


def found(channels: list[dict[str, Any]], **bridges: list[str]) -> list[FoundCall]:
    members = members_of([{"id": f"hunt-{name}", "channels": inside} for name, inside in bridges.items()])
    return [*found_calls(channels, members, APP)]


CALLER = channel("c1", "PJSIP/trunk-00000001", f"{APP},group", state="Ring")
RINGS = channel("hunt-c1-1", "PJSIP/101-00000002", f"{APP}", state="Ringing")
TALKS = channel("hunt-c1-2", "PJSIP/102-00000003", f"{APP}")


def test_a_caller_who_waits_with_the_phones_that_ring() -> None:
    legs = (FoundLeg("hunt-c1-1", "PJSIP/101", up=False, joined=False),)
    assert found([CALLER, RINGS]) == [FoundCall("c1", "c1", "group", 0, legs)]


def test_a_call_with_who_is_in_its_bridge() -> None:
    legs = (FoundLeg("hunt-c1-2", "PJSIP/102", up=True, joined=True),)
    assert found([CALLER, TALKS], c1=["c1", "hunt-c1-2"]) == [FoundCall("c1", "c1", "group", 2, legs)]


def test_who_was_left_alone_by_the_caller() -> None:
    legs = (FoundLeg("hunt-c1-2", "PJSIP/102", up=True, joined=True),)
    assert found([TALKS], c1=["hunt-c1-2"]) == [FoundCall("c1", "", "", 1, legs)]


def test_a_waiting_call_that_was_handed_over_is_the_new_channels_once_it_talks() -> None:
    other = channel("c9", "PJSIP/trunk-00000009", f"{APP},group")
    (call,) = found([other, TALKS], c1=["c9", "hunt-c1-2"])
    assert (call.hunt, call.caller, call.members) == ("c1", "c9", 2)


def test_a_bridge_that_nobody_is_in_is_found_so_that_it_can_be_ended() -> None:
    assert found([], c1=[]) == [FoundCall("c1", "", "", 0)]


def test_what_belongs_to_others_is_not_found() -> None:
    others = [
        channel("c2", "PJSIP/1-00000001", "pbxrec,x"),
        channel("c3", "PJSIP/1-00000001", f"{APP},x", app="Dial"),
        channel("c4", "Local/1@x-00000001;1", APP),
        channel("pbxrec-c5-in", "Snoop/c1-00000001", "pbxrec"),
    ]
    assert found(others) == []
    assert bridge_hunt({"id": "somebody-elses"}) == ""
    assert bridge_hunt({"id": "hunt-c1"}) == "c1"


def test_who_has_waited_longest_comes_first() -> None:
    callers = [channel(name, "PJSIP/t-00000001", f"{APP},g") for name in ("c3", "c1", "c2")]
    assert [call.hunt for call in found(callers)] == ["c1", "c2", "c3"]
