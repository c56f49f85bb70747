"""The demonstration does not believe itself: what it claims is looked up, and what is not so is said."""

from datetime import UTC, datetime
from pathlib import Path

from pbx_plugin.db.views import CallDetail, CallView
from pbx_plugin.sandbox.demo_cast import ROSA, SARA
from pbx_plugin.sandbox.demo_checks import Evidence, check
from pbx_plugin.sandbox.signals import write_voice
from pbx_plugin.settings import Paths, Settings

AT = datetime(2030, 1, 1, tzinfo=UTC)
NOWHERE = "neither Rosa nor Sara is heard in any file on disk"
CALL = CallView("c", "t", "1.1", AT, AT, "answered", "incoming", "", "", "", "", "", "", 1, False, "", None)
EMPTY = CallDetail(CALL, ("1.1",), (), (), (), (), (), (), (), ())


def problems(folder: Path) -> dict[str, str]:
    """What is wrong with three calls of which nothing is known, and the sounds in a folder."""
    settings = Settings(paths=Paths(archive=folder, state=folder))
    claims = check(Evidence((EMPTY, EMPTY, EMPTY), settings, (folder,)))
    return {claim.sentence: claim.problem for claim in claims}


def test_a_refuser_who_is_on_disk_is_found_and_named_whatever_the_file_is_called(tmp_path: Path) -> None:
    write_voice(tmp_path / ".left-over.tmp", ROSA.mark, dbfs=-40.0)
    assert problems(tmp_path)[NOWHERE].startswith("Rosa is heard in")


def test_the_agent_of_a_refused_call_counts_as_well(tmp_path: Path) -> None:
    write_voice(tmp_path / "x.wav", SARA.mark)
    assert problems(tmp_path)[NOWHERE].startswith("Sara is heard in")


def test_calls_without_consent_decision_or_recording_do_not_pass(tmp_path: Path) -> None:
    found = problems(tmp_path)
    assert found[NOWHERE] == ""
    assert found["the refusal is on file"] == "there are 0 consents"
    assert found["decided: never, and nothing recorded"] == "the decisions were: none"
    assert found["recorded in two parts, whole, under their SHA-256"].startswith("expected 2 stored recordings")
    assert found["nothing of the time between the two *4"].startswith("could not be checked")
    assert found["Rikke is on the left and Clara on the right, nobody else"] == "there is no recording"
