"""Snoops of two captures are never on one leg together: the later one would hear nothing of what goes to the leg."""

from __future__ import annotations

from dataclasses import replace

import pytest
from pbx_double import DAY, MEDIA, START, STOP, Works, until

from pbx_plugin.ari_app import capturing
from pbx_plugin.ari_app.capturing import snoops_of

OTHER = "6e0a3a52-3f0e-4a52-9a53-2f1f6f0f9a12"
NEXT = replace(START, media=OTHER, spool_in=f"{DAY}/{OTHER}-in", spool_out=f"{DAY}/{OTHER}-out")


async def recording() -> Works:
    works = Works()
    works.do(START)
    await until(lambda: "CaptureStarted" in works.kinds())
    works.asterisk.lingering = set(snoops_of(MEDIA))
    return works


async def test_who_takes_a_call_over_is_listened_to_when_the_snoops_of_before_are_gone() -> None:
    works = await recording()
    works.do(STOP, NEXT)
    await until(lambda: not works.asterisk.snoops)
    for snoop in snoops_of(MEDIA):
        assert works.asterisk.asked.count("snoop") == 2, "only those of the first capture"
        works.asterisk.tell("ChannelDestroyed", channel={"id": snoop})
    await until(lambda: works.kinds().count("CaptureStarted") == 2)
    works.do(replace(STOP, media=OTHER, spool_in=NEXT.spool_in, spool_out=NEXT.spool_out))
    await works.done()


async def test_on_another_leg_nobody_waits() -> None:
    works = await recording()
    works.do(STOP, replace(NEXT, channel="T2"))
    await until(lambda: works.kinds().count("CaptureStarted") == 2)
    assert "CaptureEnded" not in works.kinds()
    for snoop in snoops_of(MEDIA):
        works.asterisk.tell("ChannelDestroyed", channel={"id": snoop})
    works.do(replace(STOP, media=OTHER, spool_in=NEXT.spool_in, spool_out=NEXT.spool_out))
    await works.done()


async def test_a_snoop_of_which_asterisk_never_says_that_it_is_gone_holds_nobody_up_for_long(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(capturing, "GONE_WITHIN", 0.02)
    works = await recording()
    works.do(STOP, NEXT)
    await until(lambda: works.kinds().count("CaptureStarted") == 2)
    works.do(replace(STOP, media=OTHER, spool_in=NEXT.spool_in, spool_out=NEXT.spool_out))
    await works.done()
