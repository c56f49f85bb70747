"""What people meet when a form is refused is said in their language, also where a use case said it in English."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from uuid import uuid4

import pytest
from portal_stage import PortalStage

from pbx_plugin.domain.evaluation import checked, read_form
from pbx_plugin.domain.handing import Keeping, Obstacle, Rules, wrong_expiry
from pbx_plugin.portal.refusals import KNOWN, retold
from pbx_plugin.portal.words import tongues
from pbx_plugin.services.people import clean_email
from pbx_plugin.services.saved_searches import columns_from
from pbx_plugin.services.searching import SearchError, read
from pbx_plugin.services.working import clean_line, clean_note

DANISH = tongues(UTC)["da"]
NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
KEPT = Keeping(NOON, datetime(2026, 12, 1, tzinfo=UTC), 30, deletable_by_hand=False)
FORM = read_form({"categories": [{"name": "Manner", "questions": [{"key": "q", "text": "Did they 'greet'?"}]}]})

RECORDING = "5d0d3c9e-1c36-4b0e-9a53-2f1f6f0f9a20"


def refused(work: Callable[[], object]) -> list[str]:
    """What something says that is refused."""
    try:
        work()
    except SearchError as error:
        return list(error.problems.values())
    except Exception as error:
        return [str(error)]
    raise AssertionError("it was not refused")


def expiry(wanted: datetime, kept: Keeping = KEPT) -> str:
    return f"recording {RECORDING}: {wrong_expiry(kept, wanted, date(2026, 11, 22))}"


SAID = [
    *refused(lambda: clean_note(" ")),
    *refused(lambda: clean_note("x" * 100_000)),
    *refused(lambda: clean_line("x" * 1000, "tag", 100)),
    *refused(lambda: checked(FORM, {"q": 99})),
    *refused(lambda: clean_email("nobody at all")),
    *refused(lambda: columns_from([])),
    *(f"recording {RECORDING}: {why}" for why in Obstacle),
    *Rules(link_hours=0).faults(),
    *Rules(link_hours_most=99_999).faults()[:1],
    *Rules(listeners_most=-1).faults(),
    expiry(datetime(2030, 1, 1, tzinfo=UTC)),
    expiry(datetime(2030, 1, 1, tzinfo=UTC), replace(KEPT, told_days=None)),
    expiry(datetime(2026, 11, 22, tzinfo=UTC)),
    expiry(datetime(2026, 11, 24, tzinfo=UTC)),
    expiry(NOON, replace(KEPT, deleted=True)),
    *(
        word
        for name, value in (
            ("from", "yesterday"),
            ("time", "noon"),
            ("time", "08:00-08:00"),
            ("longer", "long"),
            ("longer", "999999"),
            ("limit", "many"),
            ("text", "x" * 10_000),
            ("text", "a\x07b"),
            ("flag", "pink"),
            ("evaluated", "perhaps"),
        )
        for word in refused(lambda name=name, value=value: read([(name, value)]))  # type: ignore[misc]
    ),
    *refused(lambda: read([("text", "a"), ("text", "b")])),
]


@pytest.mark.parametrize("said", SAID, ids=lambda said: str(said)[:60])
def test_what_a_use_case_refuses_is_told_in_danish(said: str) -> None:
    assert retold(DANISH, said) not in ("", said)
    assert "%(" not in retold(DANISH, said)


def test_most_of_what_can_be_told_again_is_really_said_by_somebody() -> None:
    met = {sentence for pattern, sentence in KNOWN for said in SAID if pattern.fullmatch(said)}
    assert len(met) >= 26


def test_two_faults_are_both_told_and_other_text_stays() -> None:
    both = "; ".join(Rules(link_hours=0, listeners_most=-1).faults())
    assert retold(DANISH, both).count("1 til") == 1
    assert "lyttere" in retold(DANISH, both)
    assert retold(DANISH, "Something else; and more") == "Something else; and more"
    assert retold(DANISH, "x changed " * 1000) == "x changed " * 1000


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory, migrated_file: Path) -> Iterator[PortalStage]:
    folder = tmp_path_factory.mktemp("refusals")
    made = PortalStage(folder, Path(shutil.copy(migrated_file, folder / "pbx.sqlite")))
    with made.served():
        yield made


def test_pages_say_what_is_refused_in_danish(stage: PortalStage) -> None:
    recording = stage.recording("anna")
    client = stage.client("superuser")
    client.post("/language", {"language": "da"})
    place = f"/recordings/{recording}"
    assert "Noten er tom" in client.post(f"{place}/notes", {"text": " "}).text
    assert "ingen e-mailadresse" in client.post(f"{place}/share", {"recipient": "nobody"}).text
    assert "for sent" in client.post(f"{place}/expiry", {"day": "2099-01-01"}).text
    unknown = client.post("/deletions/confirm", {"recording": str(uuid4()), "understood": "yes"})
    assert "Ingen har bedt om at slette den" in unknown.text
    assert "er ingen dag" in client.get("/recordings?period=custom&from=yesterday").text
    assert "allerede fjernet" in client.post("/recordings/saved/x/remove", {}).text
    hours = {"link_hours": "0", "link_hours_most": "24"}
    assert "Et link lever" in client.post("/settings/handing", hours).text
