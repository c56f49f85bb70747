"""Other people come to a call, seen or unseen by the recorder: nobody is recorded on the strength of somebody else."""

from __future__ import annotations

import pytest
from stage import Stage, hang_up, talk, wait_for

from pbx_plugin.sandbox.site_people import ddi_of


@pytest.fixture(autouse=True)
def _only_this_call(stage: Stage) -> None:
    stage.from_now()


def test_whoever_picks_a_call_up_is_judged_by_their_own_mode(stage: Stage) -> None:
    stage.phone("201", answers=False)
    stage.phone("222")
    caller = stage.outside("picked-up caller")
    leg = caller.dial(ddi_of("201"))

    def ringing() -> str | None:
        rows = [row.split("!") for row in stage.site.asterisk.rx("core show channels concise").splitlines()]
        return next((row[0] for row in rows if row[0].startswith("PJSIP/201-") and row[4] == "Ringing"), None)

    name = wait_for(ringing, "the phone of 201 to ring", 10.0)
    stage.site.asterisk.rx(f"channel originate PJSIP/222 application PickupChan {name}")
    leg.wait("CONFIRMED")
    decision = stage.decided(caller.config.caller, "222")
    assert (decision.verdict, decision.rule) == ("never", 5)
    talk(3)
    hang_up(leg)
    assert stage.settled(caller.config.caller).recordings == ()
    stage.assert_nowhere("222", "picked-up caller")
    stage.assert_nothing_left()
