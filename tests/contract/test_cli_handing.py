"""Recordings are deleted, kept longer and exported at the command line, for cron and for people."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from cli_site import Said, Site
from handing_stage import Stage

from pbx_plugin import clock
from pbx_plugin.db.engine import make_engine
from pbx_plugin.services import deleting

SURE = "--i-understand-the-consequences"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, migrated_file: Path) -> Iterator[tuple[Site, Stage]]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PBX_PLUGIN_CONFIG", "")
        site = Site(tmp_path_factory.mktemp("handing"), migrated_file, "--company", "Third")
        engine = make_engine(f"sqlite:///{site.database}", busy_ms=5000)
        yield site, Stage(engine, site.state, clock.now())
        engine.dispose()


@pytest.fixture
def stage(made: tuple[Site, Stage]) -> Stage:
    return made[1]


@pytest.fixture
def site(made: tuple[Site, Stage], monkeypatch: pytest.MonkeyPatch) -> Site:
    monkeypatch.setenv("PBX_PLUGIN_CONFIG", "")
    monkeypatch.setenv("PBX_PLUGIN_PATHS__SPOOL", str(made[1].spool))
    return made[0]


def run(site: Site, *words: str) -> Said:
    return site("recordings", *words, "--tenant", "Company One")


def test_nothing_is_deleted_without_the_words_and_a_dry_run_shows_what_would_be(site: Site, stage: Stage) -> None:
    one, protected = stage.record(), stage.record(deletable_by_hand=False)
    said = run(site, "delete", one[:8])
    assert (said.code, "gone for ever" in said.err) == (2, True)
    dry = run(site, "delete", one, protected, "--dry-run", "--json")
    assert (dry.code, dry.data["deleted"], list(dry.data["refused"])) == (1, [one], [protected])
    assert stage.look(one).playable
    done = run(site, "delete", one[:8], SURE, "--json", "--actor", "Sofie")
    assert (done.code, done.data["deleted"]) == (0, [one])
    assert not stage.look(one).playable
    assert run(site, "delete", one, SURE).code == 1
    assert run(site, "show", one, "--json").data["recording"]["state"] == "deleted"
    assert run(site, "path", one).code == 2
    undelete = site("recordings", "undelete")
    assert (undelete.code, "no undelete" in undelete.err) == (2, True)


def test_a_selection_comes_from_a_file_or_a_search(site: Site, stage: Stage, tmp_path: Path) -> None:
    several = [stage.record(other_raw="88776655", other_e164="+4588776655") for _ in range(3)]
    file = tmp_path / "ids"
    file.write_text("\n".join(several[:2]) + "\n\n")
    assert run(site, "delete", "--selection", str(file), "--dry-run", "--json").data["deleted"] == several[:2]
    found = run(site, "delete", "--find", "number=+4588776655", "--dry-run", "--json")
    assert sorted(found.data["deleted"]) == sorted(several)
    assert run(site, "delete", "--find", "colour=red", "--dry-run").code == 2
    assert run(site, "delete", "--dry-run").code == 2
    assert run(site, "delete", "--selection", str(tmp_path / "none"), "--dry-run").code == 2
    assert run(site, "delete", "nobody", "--dry-run").code != 0


def test_what_somebody_died_over_is_finished(site: Site, stage: Stage) -> None:
    recording = stage.record()
    stage.deletions.intend(stage.desk(), recording, "")
    assert run(site, "delete", "--resume", "--json").data == {"finished": 1}
    assert stage.files() == [name for name in stage.files() if stage.look(recording).media_id not in name]
    assert run(site, "delete", "--resume").out == "no deletion was left unfinished\n"
    assert deleting.resume(stage.deletions, stage.eraser, stage.at) == 0


def test_an_expiry_is_changed_within_its_limits(site: Site, stage: Stage) -> None:
    recording, told = stage.record(), stage.record(keep_days=10)
    day = (stage.at + timedelta(days=60)).date().isoformat()
    dry = run(site, "expire", recording, told, "--on", day, "--dry-run", "--json")
    assert (dry.code, dry.data["changed"], list(dry.data["refused"])) == (1, [recording], [told])
    before = stage.look(recording).expires_at
    assert run(site, "expire", recording, "--on", day).code == 0
    after = stage.look(recording).expires_at
    assert after is not None
    assert (after != before, after.date().isoformat()) == (True, day)
    assert run(site, "expire", recording, "--on", "soon").code == 2


def test_an_export_is_a_zip_file_with_a_manifest(site: Site, stage: Stage, tmp_path: Path) -> None:
    recordings = [stage.record(), stage.record(ended=False)]
    place = tmp_path / "calls.zip"
    said = run(site, "export", *recordings, "--zip", str(place), "--json", "--actor", "Sofie")
    assert (said.code, said.data["recordings"], said.data["left_out"]) == (1, 1, 1)
    assert place.stat().st_mode & 0o777 == 0o640
    with zipfile.ZipFile(place) as archive:
        assert archive.testzip() is None
        manifest: dict[str, Any] = json.loads(archive.read("manifest.json"))
    assert manifest["made_by"] == "Sofie"
    assert [found["recording_id"] for found in manifest["recordings"]] == recordings[:1]
    assert run(site, "export", recordings[0], "--zip", str(tmp_path / "no" / "x.zip")).code == 1
    assert run(site, "export", recordings[0], "--zip", str(place), "--time-zone", "Mars/Base").code == 2
    assert [path.name for path in tmp_path.iterdir()] == ["calls.zip"]


def test_a_companys_switches_are_shown_and_changed(site: Site, stage: Stage) -> None:
    def handing(*words: str) -> Said:
        return site("handing", *words, "--tenant", "Company One")

    assert handing("show", "--json").data["downloads"] is False
    assert handing("set", "--downloads", "--link-hours", "12", "--dry-run").code == 0
    assert handing("show", "--json").data["downloads"] is False
    assert "downloads: no -> yes" in handing("set", "--downloads", "--link-hours", "12").out
    told = handing("show", "--json").data
    assert (told["downloads"], told["link_hours"], told["links"]) == (True, 12, True)
    said = handing("set", "--link-hours", "9999")
    assert (said.code, "1 to 168" in said.err) == (2, True)
    audit = [row for row in site.rows()["audit"] if "handing rules changed" in row]
    assert len(audit) == 1
    handing("set", "--no-downloads", "--link-hours", "24")
