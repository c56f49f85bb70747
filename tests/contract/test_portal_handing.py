"""Downloads, zip files and deleting through the portal, as every role, and what is written down about it."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import shutil
import subprocess
import threading
import zipfile
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import unquote
from zoneinfo import ZoneInfo

import pytest
from portal_stage import PortalStage
from sqlalchemy import select, update

from pbx_plugin.db.engine import reading, writing
from pbx_plugin.db.handing import DatabaseHanding
from pbx_plugin.db.models import AuditRow, DeletionRow, ExportRow, MediaRow, RecordingRow
from pbx_plugin.domain.handing import ExportState, Rules
from pbx_plugin.portal.streams import disposition
from pbx_plugin.storage import mp3

EVERYBODY = ("superuser", "team leader", "group leader", "own", "none", "foreign", "stranger")


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory, migrated_file: Path) -> Iterator[PortalStage]:
    folder = tmp_path_factory.mktemp("handing")
    made = PortalStage(folder, Path(shutil.copy(migrated_file, folder / "pbx.sqlite")))
    with made.served():
        yield made


@pytest.fixture(autouse=True)
def _usual(stage: PortalStage) -> None:
    set_rules(stage)


def set_rules(stage: PortalStage, **values: Any) -> None:
    with stage.desk(stage.own) as desk:
        pass
    DatabaseHanding(stage.engine).save_rules(desk, Rules(**{"downloads": True, **values}))


def audited(stage: PortalStage, subject: str) -> list[str]:
    with reading(stage.engine) as session:
        query = select(AuditRow.action).where(AuditRow.subject == subject).order_by(AuditRow.seq)
        return list(session.scalars(query))


def change(stage: PortalStage, recording: str, **values: Any) -> None:
    with writing(stage.engine) as session:
        session.execute(update(RecordingRow).where(RecordingRow.id == recording).values(**values))


def file_of(stage: PortalStage, recording: str) -> Path:
    with reading(stage.engine) as session:
        media = session.get_one(RecordingRow, recording).media_id
        return stage.archive / session.get_one(MediaRow, media).path


def zipped(stage: PortalStage, role: str, recordings: list[str]) -> tuple[int, bytes, str]:
    client = stage.client(role)
    asked = client.post("/selection/zip", {"recording": recordings})
    if asked.status_code != 303:
        return asked.status_code, b"", ""
    place = asked.headers["Location"]
    assert client.get(place).status_code == 200
    answer = client.get(f"{place}/file")
    return answer.status_code, answer.content, place


def test_a_recording_is_downloaded_under_a_name_for_people_and_audited(stage: PortalStage) -> None:
    recording = stage.recording("anna", number="+4531200118")
    answer = stage.client("superuser").get(f"/recordings/{recording}/download/wav")
    assert answer.content == file_of(stage, recording).read_bytes()
    assert answer.headers["Content-Type"] == "audio/wav"
    assert "content-encoding" not in answer.headers
    name = unquote(answer.headers["Content-Disposition"].partition("filename*=UTF-8''")[2])
    assert name.endswith("_Anna-1-101_+4531200118_101.wav")
    assert audited(stage, recording) == ["downloaded"]


def test_an_mp3_is_made_on_the_fly_by_the_real_ffmpeg(stage: PortalStage) -> None:
    recording = stage.recording("anna", seconds=5)
    answer = stage.client("superuser").get(f"/recordings/{recording}/download/mp3")
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "audio/mpeg")
    asked = ["ffprobe", "-v", "error", "-show_entries", "stream=codec_name,channels,duration", "-of", "json", "-"]
    told = json.loads(subprocess.run(asked, input=answer.content, capture_output=True, check=True).stdout)
    (stream,) = told["streams"]
    assert (stream["codec_name"], stream["channels"]) == ("mp3", 2)
    assert ".mp3" in answer.headers["Content-Disposition"]
    assert audited(stage, recording) == ["downloaded"]


def test_without_ffmpeg_mp3_is_refused_and_wav_works(stage: PortalStage, monkeypatch: pytest.MonkeyPatch) -> None:
    recording = stage.recording("anna")
    monkeypatch.setattr(mp3, "find_ffmpeg", lambda: None)
    client = stage.client("superuser")
    assert client.get(f"/recordings/{recording}/download/mp3").status_code == 503
    assert audited(stage, recording) == []
    assert client.get(f"/recordings/{recording}/download/wav").status_code == 200


@pytest.mark.wide
def test_only_so_many_mp3_are_made_at_once_and_giving_up_makes_room(stage: PortalStage) -> None:
    recording = stage.recording("anna", seconds=240)
    opened = [mp3.as_mp3(_open(file_of(stage, recording)), 8000) for _ in range(mp3.MOST_AT_ONCE)]
    answer = stage.client("superuser").get(f"/recordings/{recording}/download/mp3")
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "10")
    opened.pop().close()  # type: ignore[attr-defined]
    assert stage.client("superuser").get(f"/recordings/{recording}/download/mp3").status_code == 200
    opened.clear()
    assert stage.client("superuser").get(f"/recordings/{recording}/download/mp3").status_code == 200


def _open(path: Path) -> int:
    import os

    return os.open(path, os.O_RDONLY)


@pytest.mark.wide
def test_every_role_downloads_what_it_sees_and_may(stage: PortalStage) -> None:
    annas, bos = stage.recording("anna"), stage.recording("bo")
    expected = {
        "superuser": (200, 200), "team leader": (200, 404), "group leader": (404, 200), "own": (403, 404),
        "none": (404, 404), "foreign": (404, 404), "stranger": (303, 303),
    }  # fmt: skip
    for role in EVERYBODY:
        client = stage.client(role)
        for form in ("wav", "mp3"):
            codes = tuple(client.get(f"/recordings/{one}/download/{form}").status_code for one in (annas, bos))
            assert codes == expected[role], (role, form)
    set_rules(stage, downloads=False)
    assert stage.client("superuser").get(f"/recordings/{annas}/download/wav").status_code == 403
    assert zipped(stage, "superuser", [annas])[0] == 403


def test_a_zip_file_holds_the_sound_and_a_manifest_of_what_is_in_it_and_what_is_not(
    stage: PortalStage, tmp_path: Path
) -> None:
    one, two = (stage.recording("anna", number="=cmd|' /C calc'!A0") for _ in range(2))
    bos, foreign = stage.recording("bo"), stage.recording("sven", company=stage.other)
    lost, going_on, altered = stage.recording("anna"), stage.recording("anna", stored=False), stage.recording("anna")
    file_of(stage, lost).unlink()
    file_of(stage, altered).write_bytes(b"RIFF something else")
    asked = [one, two, bos, foreign, lost, going_on, altered]
    status, content, place = zipped(stage, "team leader", asked)
    assert status == 200
    path = tmp_path / "selection.zip"
    path.write_bytes(content)
    assert subprocess.run(["unzip", "-tq", path], capture_output=True, check=False).returncode == 0
    with zipfile.ZipFile(path) as archive:
        manifest = json.loads(archive.read("manifest.json"))
        table = list(csv.DictReader(io.StringIO(archive.read("manifest.csv").decode())))
        assert {said["recording_id"] for said in manifest["recordings"]} == {one, two, altered}
        for said in manifest["recordings"]:
            assert hashlib.sha256(archive.read(said["file"])).hexdigest() == said["sha256"]
        assert archive.read(next(s["file"] for s in manifest["recordings"] if s["recording_id"] == one)) == (
            file_of(stage, one).read_bytes()
        )
        assert all("/" not in name and ".." not in name for name in archive.namelist())
        assert all(info.compress_type == zipfile.ZIP_STORED for info in archive.infolist())
    reasons = {said["recording_id"]: said["left_out_because"] for said in manifest["left_out"]}
    assert set(reasons) == {bos, foreign, lost, going_on}
    assert reasons[bos] == reasons[foreign]
    assert "cannot be read" in reasons[lost]
    assert "no sound" in reasons[going_on]
    assert [said["recording_id"] for said in manifest["recordings"] if "sha256_when_stored" in said] == [altered]
    assert all(not row["other_party"].startswith("=") for row in table)
    assert [audited(stage, recording) for recording in asked] == [["downloaded"]] * 2 + [[]] * 4 + [["downloaded"]]
    assert audited(stage, place.rpartition("/")[2]) == ["exported"]
    client = stage.client("team leader")
    assert client.get(f"{place}/file").status_code == 409
    progress = client.get(f"{place}/progress").text
    assert "3 recordings are in the file" in progress
    assert hashlib.sha256(json_of(content)).hexdigest() in progress
    for role in ("superuser", "own", "foreign", "stranger"):
        assert stage.client(role).get(place).status_code != 200
        assert stage.client(role).get(f"{place}/file").status_code != 200


def json_of(content: bytes) -> bytes:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return archive.read("manifest.json")


def test_a_recording_deleted_while_the_zip_file_is_fetched_is_left_out(stage: PortalStage) -> None:
    first, second = stage.recording("anna", seconds=300), stage.recording("anna")
    client = stage.client("superuser")
    place = client.post("/selection/zip", {"recording": [first, second]}).headers["Location"]
    with client.http.stream("GET", f"{place}/file") as answer:
        parts = answer.iter_bytes(4096)
        content = next(parts)
        form = {"ids": second, "understood": "yes"}
        assert stage.client("superuser").post("/selection/delete/confirmed", form).status_code == 303
        content += b"".join(parts)
    manifest = json.loads(json_of(content))
    assert [said["recording_id"] for said in manifest["recordings"]] == [first]
    assert manifest["left_out"][0]["left_out_because"] == "it has no sound: it is deleted"


@pytest.mark.wide
def test_a_download_that_breaks_off_is_noted_so(stage: PortalStage) -> None:
    recordings = [stage.recording("anna", seconds=900) for _ in range(3)]
    client = stage.client("superuser")
    place = client.post("/selection/zip", {"recording": recordings}).headers["Location"]
    with client.http.stream("GET", f"{place}/file") as answer:
        next(answer.iter_bytes(1000))
    client.http.close()
    deadline = threading.Event()
    for _ in range(200):
        with reading(stage.engine) as session:
            state = session.get_one(ExportRow, place.rpartition("/")[2]).state
        if state is ExportState.BROKEN:
            break
        deadline.wait(0.05)
    assert state is ExportState.BROKEN
    assert audited(stage, recordings[2]) == []


def test_deleting_asks_for_the_consequences_and_for_the_number_of_many(stage: PortalStage) -> None:
    one, two = stage.recording("anna"), stage.recording("bo")
    protected = stage.recording("anna")
    change(stage, protected, deletable_by_hand=False)
    client = stage.client("superuser")
    asked = client.post("/selection/delete", {"recording": [one, two, protected]})
    assert asked.status_code == 200
    assert "2 recordings are deleted for ever" in asked.text
    assert "cannot be deleted by hand" in asked.text
    files = [file_of(stage, recording) for recording in (one, two, protected)]
    ids = f"{one} {two} {protected}"
    for form in ({}, {"understood": "yes"}, {"understood": "yes", "count": "3"}, {"count": "2"}):
        assert client.post("/selection/delete/confirmed", {"ids": ids, **form}).status_code == 422
    assert all(file.is_file() for file in files)
    done = client.post("/selection/delete/confirmed", {"ids": ids, "understood": "yes", "count": "2"})
    assert (done.status_code, done.headers["Location"]) == (303, "/recordings")
    assert [file.is_file() for file in files] == [False, False, True]
    for path in (f"/recordings/{one}/download/wav", f"/recordings/{one}/share", f"/recordings/{one}/expiry"):
        assert client.get(path).status_code == 404
    again = client.post("/selection/delete", {"recording": one})
    assert "deleted already" in again.text


def test_all_that_a_search_finds_is_deleted_within_ones_own_company(stage: PortalStage) -> None:
    number = "+4599887766"
    mine = [stage.recording("anna", number=number) for _ in range(3)]
    foreign = stage.recording("sven", company=stage.other, number=number)
    client = stage.client("superuser")
    asked = client.post("/selection/delete", {"all": "yes", "search": "period=all&number=%2B4599887766"})
    assert "3 recordings are deleted for ever" in asked.text
    assert all(recording in asked.text for recording in mine)
    assert foreign not in asked.text


@pytest.mark.wide
def test_nobody_but_superusers_deletes_or_changes_an_expiry(stage: PortalStage) -> None:
    recording, form = stage.recording("anna"), {"understood": "yes"}
    for role in EVERYBODY:
        if role != "superuser":
            client = stage.client(role)
            for path, fields in (
                ("/selection/delete", {}),
                ("/selection/delete/confirmed", form),
                ("/deletions/confirm", form),
                ("/deletions/refuse", {}),
                (f"/recordings/{recording}/expiry", {"day": "2027-01-01"}),
            ):
                answer = client.post(path, {"ids": recording, **fields})
                assert answer.status_code in ({200, 404, 422} if role == "foreign" else {303, 403, 404}), (role, path)
            for path in ("/deletions", "/settings/handing", f"/recordings/{recording}/expiry"):
                shown = client.get(path)
                # Another company's superuser sees those pages of their own company.
                assert shown.status_code in ({200, 404} if role == "foreign" else {303, 403, 404}), (role, path)
                assert recording not in shown.text
            assert file_of(stage, recording).is_file()
    with reading(stage.engine) as session:
        assert session.get(DeletionRow, recording) is None


def test_a_second_superuser_confirms_or_refuses(stage: PortalStage) -> None:
    set_rules(stage, second_person=True)
    one, two = stage.recording("anna"), stage.recording("anna")
    first = stage.client("superuser")
    form = {"ids": f"{one} {two}", "understood": "yes", "count": "2"}
    assert first.post("/selection/delete/confirmed", form).headers["Location"] == "/deletions"
    assert file_of(stage, one).is_file()
    own = first.post("/deletions/confirm", {"recording": one, "understood": "yes"})
    assert "You asked for it yourself" in own.text
    with writing(stage.engine) as session:
        asked = {"asked_account": "account of Tina", "asked_by": "tina@one.example"}
        session.execute(update(DeletionRow).where(DeletionRow.recording_id.in_([one, two])).values(**asked))
    assert first.get("/deletions").text.count("tina@one.example") == 2
    file = file_of(stage, one)
    assert first.post("/deletions/confirm", {"recording": one}).status_code == 422
    assert first.post("/deletions/confirm", {"recording": one, "understood": "yes"}).status_code == 303
    assert not file.is_file()
    assert first.post("/deletions/refuse", {"recording": two}).status_code == 303
    assert file_of(stage, two).is_file()
    assert "could not be" in stage.client("foreign").post("/deletions/refuse", {"recording": two}).text
    assert audited(stage, one) == ["deletion asked", "deleted"]
    assert audited(stage, two) == ["deletion asked", "deletion refused"]


def test_an_expiry_is_changed_by_its_last_day(stage: PortalStage) -> None:
    recording, client = stage.recording("anna"), stage.client("superuser")
    day = (stage.now() + timedelta(days=30)).date()
    assert client.post(f"/recordings/{recording}/expiry", {"day": day.isoformat()}).status_code == 303
    with reading(stage.engine) as session:
        expires = session.get_one(RecordingRow, recording).expires_at
    assert expires is not None
    zone = ZoneInfo("Europe/Copenhagen")
    assert (expires.astimezone(zone) - timedelta(microseconds=1)).date() == day
    assert day.isoformat() in client.get(f"/recordings/{recording}/expiry").text
    for wrong in ("2020-01-01", "9999-12-31", "tomorrow", "", "2026-13-01"):
        assert client.post(f"/recordings/{recording}/expiry", {"day": wrong}).status_code == 422, wrong
    assert audited(stage, recording) == ["expiry changed"]


def test_the_switches_are_saved_audited_and_checked(stage: PortalStage) -> None:
    client = stage.client("superuser")
    fields = {"link_hours": "12", "link_hours_most": "48", "listeners_most": "5", "links": "true", "deleting": "true"}
    assert client.post("/settings/handing", fields).status_code == 303
    rules = DatabaseHanding(stage.engine).rules(stage.own.tenant.id)
    assert rules == Rules(downloads=False, link_hours=12, link_hours_most=48, listeners_most=5)
    assert audited(stage, stage.own.tenant.id)[-1] == "handing rules changed"
    for wrong in ({"link_hours": "49"}, {"link_hours_most": "721"}, {"listeners_most": "x"}, {"link_hours": "-1"}):
        assert client.post("/settings/handing", {**fields, **wrong}).status_code == 422
    assert DatabaseHanding(stage.engine).rules(stage.own.tenant.id) == rules
    assert DatabaseHanding(stage.engine).rules(stage.other.tenant.id) == Rules()


def test_a_file_name_can_add_no_header() -> None:
    header = disposition('x"\r\nSet-Cookie: a=b; ø \u202e../..\\.wav')
    assert "\r" not in header
    assert "\n" not in header
    assert header.count('"') == 2
    assert header.isascii()
    assert "%0D%0A" in header


def test_what_lies_outside_the_archive_is_not_sent(stage: PortalStage, tmp_path: Path) -> None:
    secret = tmp_path / "secret.wav"
    secret.write_bytes(b"secret")
    client = stage.client("superuser")
    for number, path in enumerate((str(secret), f"../../{secret}", "link.wav")):
        recording = stage.recording("anna")
        (stage.archive / "link.wav").unlink(missing_ok=True)
        (stage.archive / "link.wav").symlink_to(secret)
        with writing(stage.engine) as session:
            media = session.get_one(RecordingRow, recording).media_id
            session.execute(update(MediaRow).where(MediaRow.id == media).values(path=path))
        answer = client.get(f"/recordings/{recording}/download/wav")
        assert (number, answer.status_code, b"secret" in answer.content) == (number, 404, False)
