"""Reading Asterisk's log and a phone's recording: when a key was released, what came of it, what was not heard."""

from __future__ import annotations

import numpy as np

from pbx_plugin.sandbox.bench_keys import Gap, Press, gaps, pairs, presses
from pbx_plugin.sandbox.signals import RATE, tone

CONSENT = """\
[2026-11-22 05:36:43.687] VERBOSE[1] pbx.c: Executing [701@pbxrec-inside:5] AGI("PJSIP/trunk-01", "agi://h:1")
[2026-11-22 05:36:43.701] VERBOSE[1] file.c: <PJSIP/trunk-01> Playing '/x/en/consent-3f86.slin' (language 'en')
[2026-11-22 05:36:44.715] DTMF[1][C-01] channel.c: DTMF begin '1' received on PJSIP/trunk-01
[2026-11-22 05:36:44.855] DTMF[1][C-01] channel.c: DTMF end '1' received on PJSIP/trunk-01, duration 160 ms
[2026-11-22 05:36:44.855] DTMF[1][C-01] channel.c: DTMF end passthrough '1' on PJSIP/trunk-01
[2026-11-22 05:36:44.860] VERBOSE[2] pbx.c: Executing [s@pbxrec-caller:1] Set("PJSIP/201-07", "X=1") in new stack
[2026-11-22 05:36:44.867] VERBOSE[1] res_agi.c: <PJSIP/trunk-01> Playing '/x/en/thanks-yes.slin' (language 'en')
[2026-11-22 05:36:47.596] VERBOSE[1] res_agi.c: <PJSIP/trunk-01>AGI Script agi://h:1/consent completed
[2026-11-22 05:36:47.599] VERBOSE[1] pbx.c: Executing [701@pbxrec-inside:6] GotoIf("PJSIP/trunk-01", "1?yes:no") in
""".splitlines()

TOGGLE = """\
[2026-11-22 05:36:50.553] DTMF[9][C-04] channel.c: DTMF end emulation of '*' queued on PJSIP/211-04
[2026-11-22 05:36:50.673] DTMF[9][C-04] channel.c: DTMF end '4' received on PJSIP/211-04, duration 160 ms
[2026-11-22 05:36:50.833] DTMF[9][C-04] channel.c: DTMF end emulation of '4' queued on PJSIP/211-04
[2026-11-22 05:36:50.837] VERBOSE[9] res_agi.c: <PJSIP/211-04>AGI Script agi://h:1/toggle completed
[2026-11-22 05:36:52.403] DTMF[9][C-04] channel.c: DTMF end '4' received on PJSIP/211-04, duration 160 ms
[2026-11-22 05:36:52.404] VERBOSE[9] res_agi.c: <PJSIP/211-04>AGI Script agi://h:1/toggle completed
""".splitlines()


def test_a_caller_who_says_yes_is_answered_and_led_on() -> None:
    assert presses(CONSENT) == [Press("1", "consent", 12.0, 2741.0, 2744.0)]


def test_another_calls_steps_are_not_taken_for_this_ones() -> None:
    last = CONSENT[-1].replace("trunk-01", "trunk-02")
    assert presses([*CONSENT[:-1], last]) == [Press("1", "consent", 12.0, 2741.0, None)]


def test_the_star_code_counts_from_the_end_of_its_last_key_however_the_phone_sent_it() -> None:
    assert presses(TOGGLE) == [Press("4", "toggle", None, 4.0, None), Press("4", "toggle", None, 1.0, None)]


def test_a_script_that_ended_without_a_key_is_no_press() -> None:
    assert presses([line for line in CONSENT if "DTMF" not in line]) == []


def test_lines_of_other_kinds_are_read_over() -> None:
    assert presses(["", "Asterisk 22.10.1 built by", "[today] NOTICE[1] x.c: hello"]) == []


def test_silence_in_a_tone_is_found_to_five_milliseconds() -> None:
    sound = tone(593, 2.0)
    sound[RATE // 2 : RATE // 2 + 40 * 21] = 0  # 105 ms
    sound[RATE : RATE + 20] = 0  # half a step is nothing to be heard
    assert gaps(sound, RATE) == [Gap(0.5, 105.0)]


def test_a_faint_remainder_is_still_silence() -> None:
    sound = np.concatenate([tone(593, 1.0), tone(593, 0.1, dbfs=-40.0), tone(593, 1.0)])
    assert gaps(sound, RATE) == [Gap(1.0, 100.0)]


def test_the_two_keys_of_a_code_belong_together_and_a_lone_gap_to_nobody() -> None:
    heard = [Gap(1.0, 110.0), Gap(1.3, 100.0), Gap(3.0, 5.0), Gap(5.0, 150.0), Gap(5.28, 140.0)]
    assert pairs(heard) == [(110.0, 100.0), (150.0, 140.0)]
