"""What a program lists, imports and sorts people by: units, recording groups, notices, imports, gaps, the audit."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import httpx2
import pytest
from api_site import PICTURE, ApiStage
from call_entries import NOON

from pbx_plugin.clock import now
from pbx_plugin.domain.entries import Gap, RecordingErased


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory, migrated_file: Path) -> Iterator[ApiStage]:
    folder = tmp_path_factory.mktemp("lists")
    made = ApiStage(folder, Path(shutil.copy(migrated_file, folder / "pbx.sqlite")))
    with made.served():
        yield made


@pytest.fixture(scope="module")
def client(stage: ApiStage) -> Iterator[httpx2.Client]:
    with stage.client(stage.token()) as program:
        yield program


def pages(client: httpx2.Client, path: str, **asked: Any) -> list[dict[str, Any]]:
    """Everything in a list, page by page."""
    found: list[dict[str, Any]] = []
    cursor: str | None = ""
    while cursor is not None:
        page = client.get(path, params={"limit": 1, **asked, "cursor": cursor}).json()
        assert len(page["items"]) <= 1
        found, cursor = [*found, *page["items"]], page["next"]
    return found


class TestUnits:
    @pytest.mark.parametrize("kind", ["department", "district", "cost centre", "office"])
    def test_one_is_added_filled_renamed_emptied_and_removed(self, client: httpx2.Client, kind: str) -> None:
        unit = client.post("/v1/units", json={"kind": kind, "name": f"a {kind}"}).json()
        path = f"/v1/units/{unit['id']}"
        assert client.put(f"{path}/members/101").json()["extension"] == "101"
        assert [one["extension"] for one in client.get(f"{path}/members").json()] == ["101"]
        assert client.delete(path).status_code == 409
        assert client.patch(path, json={"name": "renamed"}).json() == {**unit, "name": "renamed", "users": 1}
        assert client.delete(f"{path}/members/101").status_code == 200
        assert client.delete(f"{path}/members/101").status_code == 409
        assert client.delete(path).json()["name"] == "renamed"
        assert unit["id"] not in [one["id"] for one in client.get("/v1/units", params={"kind": kind}).json()]

    def test_a_user_is_in_one_of_a_kind(self, client: httpx2.Client) -> None:
        north, south = (
            client.post("/v1/units", json={"kind": "district", "name": name}).json()["id"]
            for name in ("North", "South")
        )
        client.put(f"/v1/units/{north}/members/101")
        client.put(f"/v1/units/{south}/members/101")
        assert client.get(f"/v1/units/{north}/members").json() == []
        assert client.delete(f"/v1/units/{south}/members/101").status_code == 200

    @pytest.mark.parametrize(
        ("kind", "name"), [("department", "Undefined"), ("department", "Sales 1"), ("office", " ")]
    )
    def test_a_name_that_is_taken_or_none_is_refused(self, client: httpx2.Client, kind: str, name: str) -> None:
        unit = client.post("/v1/units", json={"kind": kind, "name": f"for {name}."}).json()
        assert client.patch(f"/v1/units/{unit['id']}", json={"name": name}).status_code == 422
        assert client.post("/v1/units", json={"kind": kind, "name": name}).status_code == 422

    def test_a_dry_run_changes_nothing(self, client: httpx2.Client) -> None:
        before = client.get("/v1/units").json()
        answer = client.post("/v1/units?dry_run=true", json={"kind": "office", "name": "Only tried"})
        assert answer.status_code == 201
        assert client.get("/v1/units").json() == before


def test_a_recording_group_is_made_changed_and_removed(client: httpx2.Client) -> None:
    wanted = {"name": "Watched", "members": ["101"], "supervisors": []}
    group = client.post("/v1/recording-groups", json=wanted).json()
    path = f"/v1/recording-groups/{group['id']}"
    assert client.patch(path, json={"supervisors": ["101"]}).json() == {**group, "supervisors": ["101"]}
    assert client.get("/v1/recording-groups/Watched").json()["members"] == ["101"]
    assert client.patch(path, json={"members": ["nobody"]}).status_code == 422
    assert client.delete(path).status_code == 200
    assert client.get(path).status_code == 404


def test_a_user_is_told_and_acknowledges_once(client: httpx2.Client) -> None:
    (first, *_) = client.get("/v1/people/101/notices").json()
    assert "recorded" in first["text"]
    assert first["id"] in [notice["id"] for notice in pages(client, "/v1/notices", waiting=True)]
    path = "/v1/people/101/acknowledgement"
    assert client.post(path, json={"how": " "}).status_code == 422
    done = client.post(path, json={"how": "signed on paper"}).json()
    assert (done["acknowledged_how"], done["acknowledged_sha256"]) == ("signed on paper", first["text_sha256"])
    assert client.post(path, json={"how": "again"}).json() == done
    assert pages(client, "/v1/notices", waiting=True) == []
    assert first["id"] in [notice["id"] for notice in pages(client, "/v1/notices")]


def test_who_was_never_told_has_nothing_to_acknowledge(client: httpx2.Client) -> None:
    client.post("/v1/people", json={"name": "Bo", "extension": "180"})
    assert client.post("/v1/people/180/acknowledgement", json={"how": "by phone"}).status_code == 409


class TestImports:
    USERS = "name,extension\nCarl,181\nDora,182\n"

    def send(self, client: httpx2.Client, content: str | bytes, **asked: Any) -> httpx2.Response:
        wanted = {"table": "users", "source": "people.csv", **asked}
        return client.post("/v1/imports", params=wanted, content=content, headers={"Content-Type": "text/csv"})

    def test_a_file_is_tried_imported_shown_and_taken_back(self, client: httpx2.Client) -> None:
        before = client.get("/v1/people").json()
        tried = self.send(client, self.USERS, dry_run=True).json()
        assert (tried["added"], tried["import_id"]) == (2, None)
        assert client.get("/v1/people").json() == before
        done = self.send(client, self.USERS).json()
        assert {key: done[key] for key in ("added", "changed", "removed")} == {"added": 2, "changed": 0, "removed": 0}
        again = self.send(client, self.USERS).json()
        assert (again["changes"], again["unchanged"], again["import_id"]) == ([], 2, None)
        path = f"/v1/imports/{done['import_id']}"
        shown = client.get(path).json()
        assert (shown["source"], shown["changes"]) == ("people.csv", done["changes"])
        assert client.post(f"{path}/undo", params={"dry_run": True}).json()["removed"] == 2
        assert client.post(f"{path}/undo").json()["removed"] == 2
        assert client.get("/v1/people").json() == before
        assert client.post(f"{path}/undo").status_code == 409
        (listed,) = [run for run in pages(client, "/v1/imports") if run["id"] == done["import_id"]]
        assert listed["undone_by"].startswith("API token")

    def test_what_was_changed_since_is_not_taken_back(self, client: httpx2.Client) -> None:
        made = self.send(client, "name,extension\nErik,183\n").json()["import_id"]
        client.patch("/v1/people/183", json={"name": "Erika"})
        answer = client.post(f"/v1/imports/{made}/undo")
        assert answer.status_code == 409
        assert "Erika" in answer.json()["detail"]

    @pytest.mark.parametrize(
        ("content", "asked"),
        [
            ("name,extension\nCarl,\n", {}),
            ("who\nCarl\n", {}),
            (b"name,extension\n\xff,181\n", {}),
            ("number,leads_to,target\n+4570111111,user,301\n", {"table": "numbers"}),
            ("number,leads_to,target\n", {"table": "numbers", "add_departments": True}),
            ("name,extension\n", {"table": "dialplan"}),
            ("", {}),
        ],
    )
    def test_what_is_no_such_table_is_refused_whole(
        self, client: httpx2.Client, content: str | bytes, asked: dict[str, Any]
    ) -> None:
        before = client.get("/v1/imports").json()
        answer = self.send(client, content, **asked)
        assert answer.status_code == 422, answer.text
        assert client.get("/v1/imports").json() == before

    def test_a_complaint_names_file_and_line(self, client: httpx2.Client) -> None:
        answer = self.send(client, "name,extension\nCarl,x\n", source="anna's.csv")
        assert "anna's.csv, line 2" in answer.json()["detail"]

    def test_a_file_larger_than_a_body_may_be_is_not_read(self, stage: ApiStage, client: httpx2.Client) -> None:
        assert self.send(client, b"x" * (stage.settings.api.largest_body + 1)).status_code == 413

    @pytest.mark.parametrize(
        ("table", "content"),
        [
            ("groups", "name,number,kind\nDesk,190,queue\n"),
            ("recording-groups", "name,members\nCircle,101\n"),
            ("numbers", "number,leads_to,target\n+4570777777,user,101\n"),
            ("exclusions", "number,reason\n+4531777777,family\n"),
        ],
    )
    def test_every_table_can_be_imported(self, client: httpx2.Client, table: str, content: str) -> None:
        done = self.send(client, content, table=table).json()
        assert done["added"] == 1, done


@pytest.fixture(scope="module")
def gaps(stage: ApiStage) -> None:
    tenant, anna = stage.own.tenant.id, stage.own.things["person"]
    at = NOON + timedelta(days=1)
    stage.apply(
        Gap("long", "a call", tenant, anna, at, at + timedelta(seconds=90), "no room: a disk is nearly full"),
        Gap("short", "a call", tenant, "somebody", at, at + timedelta(seconds=10), "the recorder was away"),
        Gap("none", "a call", tenant, anna, at, at, "no room: a disk is nearly full"),
    )


class TestGaps:
    @pytest.mark.parametrize(
        ("asked", "ids", "seconds"),
        [
            ({}, ["short", "long"], 100),
            ({"user": "101"}, ["long"], 90),
            ({"reason": "recorder was"}, ["short"], 10),
            ({"reason": "%"}, [], 0),
            ({"since": (NOON + timedelta(days=1, seconds=20)).isoformat()}, ["long"], 90),
        ],
    )
    def test_they_are_found_by_user_reason_and_time_and_counted(
        self, client: httpx2.Client, gaps: None, asked: dict[str, str], ids: list[str], seconds: float
    ) -> None:
        asked = {"since": (NOON + timedelta(hours=12)).isoformat(), **asked}
        first = client.get("/v1/gaps", params={"limit": 1, **asked}).json()
        assert first["total"] == {"gaps": len(ids), "seconds": seconds}
        assert [gap["gap_id"] for gap in pages(client, "/v1/gaps", **asked)] == ids

    def test_before_a_time_there_is_only_what_had_begun(self, client: httpx2.Client, gaps: None) -> None:
        found = client.get("/v1/gaps", params={"until": (NOON + timedelta(hours=12)).isoformat()}).json()
        assert "long" not in [gap["gap_id"] for gap in found["items"]]
        assert found["items"]

    def test_one_that_goes_on_is_as_long_as_it_is_now(self, stage: ApiStage, client: httpx2.Client) -> None:
        stage.apply(Gap("on", "c", stage.own.tenant.id, "", now() - timedelta(minutes=1), None, "it goes on"))
        (gap,) = client.get("/v1/gaps", params={"reason": "goes on"}).json()["items"]
        assert gap["until"] is None
        assert 59 < gap["seconds"] < 120


class TestAudit:
    def test_it_is_found_by_subject_action_and_actor_the_newest_first(self, client: httpx2.Client) -> None:
        unit = client.post("/v1/units", json={"kind": "office", "name": "Audited"}).json()["id"]
        client.patch(f"/v1/units/{unit}", json={"name": "Seen"})
        found = pages(client, "/v1/audit", subject=unit)
        assert [entry["action"] for entry in found] == ["unit renamed", "unit added"]
        assert found[0]["detail"] == {"kind": "office", "name": ["Audited", "Seen"]}
        assert next(entry["subject"] for entry in pages(client, "/v1/audit", action="unit renamed")) == unit
        assert client.get("/v1/audit", params={"actor": "nobody"}).json() == {"items": [], "next": None}

    @pytest.mark.parametrize("cursor", ["x", "WyIyMDI2LTAxLTAxVDAwOjAwOjAwKzAwOjAwIiwgIngiXQ"])
    def test_a_cursor_of_another_list_is_refused(self, client: httpx2.Client, cursor: str) -> None:
        assert client.get("/v1/audit", params={"cursor": cursor}).status_code == 422


class TestPeaks:
    def test_the_picture_is_the_stored_one(self, stage: ApiStage, client: httpx2.Client) -> None:
        path = f"/v1/recordings/{stage.own.things['recording']}/peaks"
        answer = client.get(path)
        assert (answer.status_code, answer.json()) == (200, PICTURE)
        assert answer.headers["content-type"] == "application/json"

    def test_of_what_was_erased_or_is_missing_there_is_none(self, stage: ApiStage, client: httpx2.Client) -> None:
        for number, gone in (("1700000070.1", True), ("1700000070.2", False)):
            stage.call(stage.own, number, NOON)
            path = f"/v1/recordings/{stage.recording(stage.own, number)}"
            media = stage.site.queries.exact_recording(path.rpartition("/")[2], stage.own.tenant.id).recording
            if gone:
                stage.apply(RecordingErased(media.media_id, now()))
            else:
                (stage.archive / media.peaks_path).unlink()
            assert client.get(f"{path}/peaks").status_code == 404

    def test_a_link_out_of_the_archive_is_not_followed(self, stage: ApiStage, client: httpx2.Client) -> None:
        number = "1700000070.3"
        stage.call(stage.own, number, NOON)
        name = stage.recording(stage.own, number)
        media = stage.site.queries.exact_recording(name, stage.own.tenant.id).recording
        place, secret = stage.archive / media.peaks_path, stage.folder / "secret.json"
        secret.write_text("{}")
        place.unlink()
        place.symlink_to(secret)
        assert client.get(f"/v1/recordings/{name}/peaks").status_code == 404


def test_a_recording_says_when_it_goes(stage: ApiStage, client: httpx2.Client) -> None:
    shown = client.get(f"/v1/recordings/{stage.own.things['recording']}").json()
    due = datetime.fromisoformat(shown["at"]) + timedelta(days=shown["retention_days"])
    assert datetime.fromisoformat(shown["expires_at"]) >= due
