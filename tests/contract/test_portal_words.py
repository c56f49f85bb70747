"""Every sentence of the portal in every language; dates and numbers in each language's way."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from pbx_plugin.portal import translating
from pbx_plugin.portal.words import LANGUAGES, choose, length, tongues

OTHERS = [language for language in LANGUAGES if language != translating.SOURCE]
EVENING = datetime(2026, 11, 22, 23, 5, 7, tzinfo=UTC)


@pytest.mark.parametrize("language", OTHERS)
def test_a_language_has_every_sentence(language: str) -> None:
    lacking = [str(message.id) for message in translating.missing(language)]
    assert lacking == [], f"see: python -m pbx_plugin.portal.translating {language}"


@pytest.mark.parametrize("language", OTHERS)
def test_a_language_says_nothing_that_nobody_asks_for_and_keeps_every_place(language: str) -> None:
    assert translating.faults(language) == []


@pytest.mark.parametrize(
    ("accepted", "wishes", "spoken"),
    [
        ("", (), "en"),
        ("da-DK,da;q=0.9,en;q=0.8", (), "da"),
        ("en;q=0.3,sv;q=0.9", (), "sv"),
        ("fr-FR,fr;q=0.9", (), "en"),
        ("da", ("", "nl"), "nl"),
        ("da", ("xx", "de"), "de"),
        ("garbage;;q=,,;q=x, *", (), "en"),
        ("a" * 5000, (), "en"),
    ],
)
def test_the_language_is_the_account_s_else_the_browser_s(accepted: str, wishes: tuple[str, ...], spoken: str) -> None:
    assert choose(accepted, *wishes) == spoken


def test_dates_and_numbers_are_each_language_s_own_and_times_are_of_the_time_zone() -> None:
    spoken = tongues(ZoneInfo("Europe/Copenhagen"))
    assert spoken["en"].day(EVENING) == "23 Nov 2026"
    assert spoken["de"].day(EVENING) == "23.11.2026"
    assert spoken["da"].clock(EVENING) == "00.05.07"
    assert spoken["sv"].clock(EVENING) == "00:05:07"
    assert spoken["de"].number(1234567) == "1.234.567"
    assert "2026" in spoken["nl"].moment(EVENING)


@pytest.mark.parametrize(("seconds", "shown"), [(0, "0:00"), (59.4, "0:59"), (61, "1:01"), (3725, "1:02:05")])
def test_a_length_reads_the_same_in_every_language(seconds: float, shown: str) -> None:
    assert length(seconds) == shown
