"""A real call in a real browser: there while it goes on, playable as soon as it is over, each side where it belongs."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect, sync_playwright
from stage import Stage, hang_up, talk, wait_for

from pbx_plugin.domain.access import Role
from pbx_plugin.sandbox.demo_portal import invite
from pbx_plugin.sandbox.site_people import ddi_of
from pbx_plugin.services.accounts import AccountWish

PASSWORD = "Marimba-and-reed-7"
SUPERUSER = AccountWish("sofie@sandbox.example", "Sofie", "en", role=Role.SUPERUSER, may_listen=True)
PLAYABLE_S = 2.0
BUSY_S = 10.0
"""The same on a machine that has more to do than it can."""
NEAR_HZ = 15.0
LISTEN = """() => {
  const player = document.querySelector('#player').player;
  const split = player.context.createChannelSplitter(2);
  player.output.connect(split);
  window.heard = [0, 1].map((side) => {
    const analyser = player.context.createAnalyser();
    analyser.fftSize = 8192;
    split.connect(analyser, side);
    return analyser;
  });
}"""
PITCH = """(side) => {
  const analyser = window.heard[side], bins = new Float32Array(analyser.frequencyBinCount);
  analyser.getFloatFrequencyData(bins);
  const top = bins.indexOf(Math.max(...bins));
  return bins[top] < -80 ? 0 : top * analyser.context.sampleRate / analyser.fftSize;
}"""


@pytest.fixture
def sofie(stage: Stage) -> Iterator[Page]:
    """A superuser's browser, signed in as people do: a one-time link, a password, the sign-in page."""
    chromium = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if chromium is None:
        pytest.fail("no Chromium here: run 'sh deploy/test.sh', or as root: apt-get install chromium")
    portal = stage.site.portal
    portal.start()
    try:
        portal.wait_ready()
        (invited,) = invite(stage.site.settings, [SUPERUSER])
        with sync_playwright() as playwright:
            arguments = ["--no-sandbox", "--autoplay-policy=no-user-gesture-required"]
            with playwright.chromium.launch(executable_path=chromium, args=arguments) as browser:
                page = browser.new_page(locale="en")
                page.goto(invited.link)
                page.fill("#new", PASSWORD)
                page.fill("#again", PASSWORD)
                page.locator("form:has(#new) button[type=submit]").click()
                page.wait_for_url("**/sign-in**")
                page.fill("input[type=password]", PASSWORD)
                page.keyboard.press("Enter")
                page.wait_for_url("**/recordings")
                yield page
    finally:
        portal.stop()


def test_a_call_is_in_the_list_while_it_goes_on_and_plays_right_after_it(stage: Stage, sofie: Page) -> None:
    stage.from_now()
    stage.phone("201")
    caller = stage.outside("a caller of the portal")
    number = caller.config.caller
    leg = caller.dial(ddi_of("201"))
    leg.wait("CONFIRMED")
    recording = stage.recording_now(number).recording_id

    sofie.reload()
    row = sofie.locator(f"[data-recording='{recording}']")
    expect(row).to_contain_text(number)
    expect(row).to_contain_text("being made")
    row.locator("a.rec-open").click()
    expect(sofie.get_by_text("The call goes on")).to_be_visible()
    talk(4.0)

    over = time.monotonic()
    hang_up(leg)
    sofie.locator("#player").wait_for(timeout=BUSY_S * 1000)
    sofie.locator("[data-do=play]").click()
    wait_for(lambda: sofie.evaluate("document.querySelector('#sound').currentTime > 0"), "sound to play", BUSY_S)
    took = time.monotonic() - over
    busy = os.getloadavg()[0] > (os.cpu_count() or 1)
    assert took < (BUSY_S if busy else PLAYABLE_S)

    sofie.evaluate(LISTEN)
    for side, who in ((0, "201"), (1, "a caller of the portal")):
        hertz = stage.voice(who).hertz

        def heard(side: int = side, hertz: float = hertz) -> bool:
            return abs(float(sofie.evaluate(PITCH, side)) - hertz) < NEAR_HZ

        wait_for(heard, f"{who}'s {hertz} Hz on side {side}", 5.0)
    stage.settled(number)
