"""Opus, as softphones and some lines speak it: transcoded or passed through, both voices are recorded."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from adapter import Adapter
from kinds import TALK_S, assert_one_journey, recorded
from stage import Stage, hang_up, talk

from pbx_plugin.db.views import CallDetail
from pbx_plugin.domain.losses import NO_SOUND
from pbx_plugin.sandbox.listening import assert_side, picture, tones
from pbx_plugin.sandbox.phone import Leg
from pbx_plugin.sandbox.signals import VOICES, Voice
from pbx_plugin.sandbox.site_people import ddi_of

USER = "239"
CODEC = "codec_opus_open_source.so"
USERS_VOICE, LINES_VOICE = VOICES[-3], VOICES[-2]
"""The stage gives its voices out from the other end."""


@pytest.fixture(scope="module")
def opus(stage: Stage, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Adapter]:
    with Adapter(stage, tmp_path_factory.mktemp("opus"), "opus", USER, (USERS_VOICE, LINES_VOICE)) as adapter:
        adapter.user.auto_answer(300)
        yield adapter


def codecs_in_use(stage: Stage) -> set[str]:
    """What the site's Asterisk sends and receives on its phones' channels at this moment."""
    table = stage.site.asterisk.rx("pjsip show channelstats")
    return {word for line in table.splitlines() for word in line.split() if word in ("opus", "alaw", "ulaw")}


def talked(stage: Stage, number: str, user: str, leg: Leg) -> tuple[CallDetail, set[str]]:
    recorded(stage, number, user)
    talk(TALK_S + 1)
    codecs = codecs_in_use(stage)
    hang_up(leg)
    return stage.settled(number), codecs


def assert_heard(stage: Stage, call: CallDetail, left: Voice, right: Voice) -> None:
    (recording,) = call.recordings
    path, end = stage.file(recording), recording.length_ms / 1000
    assert recording.user_side == "left"
    for channel, who in enumerate((left, right)):
        assert_side(path, channel, who, 0.5, end - 0.25)
    assert call.gaps == (), picture(tones(path))
    assert_one_journey(call)


def test_an_ordinary_caller_and_a_user_who_speaks_opus(stage: Stage, opus: Adapter) -> None:
    caller = stage.outside("ordinary caller")
    stage.from_now()
    leg = caller.dial(ddi_of(USER))
    call, codecs = talked(stage, caller.config.caller, USER, leg)
    assert codecs == {"opus", "alaw"}
    assert_heard(stage, call, USERS_VOICE, stage.voice("ordinary caller"))


def test_a_caller_who_speaks_opus_and_an_ordinary_user(stage: Stage, opus: Adapter) -> None:
    stage.phone("201")
    stage.from_now()
    leg = opus.line.dial(ddi_of("201"))
    call, codecs = talked(stage, opus.number, "201", leg)
    assert codecs == {"opus", "alaw"}
    assert_heard(stage, call, stage.voice("201"), LINES_VOICE)


def test_opus_from_end_to_end(stage: Stage, opus: Adapter) -> None:
    stage.from_now()
    leg = opus.line.dial(ddi_of(USER))
    call, codecs = talked(stage, opus.number, USER, leg)
    assert codecs == {"opus"}
    assert_heard(stage, call, USERS_VOICE, LINES_VOICE)


@pytest.fixture
def no_opus_codec(stage: Stage) -> Iterator[None]:
    """An Asterisk that passes opus through and cannot decode it, as many are."""
    asterisk = stage.site.asterisk
    assert "Unloaded" in asterisk.rx(f"module unload {CODEC}")
    yield
    asterisk.rx(f"module load {CODEC}")


def test_opus_that_asterisk_cannot_decode_is_told_as_missing(stage: Stage, opus: Adapter, no_opus_codec: None) -> None:
    stage.from_now()
    leg = opus.line.dial(ddi_of(USER))
    leg.wait("CONFIRMED")
    talk(TALK_S + 4)
    assert codecs_in_use(stage) == {"opus"}
    hang_up(leg)
    call = stage.settled(opus.number)
    assert opus.heard("user", LINES_VOICE), "the call itself is none the worse"
    (gap,) = call.gaps
    assert gap.reason == NO_SOUND
    (recording,) = call.recordings
    assert (recording.in_at, recording.closed_at) == (gap.since, gap.until)
