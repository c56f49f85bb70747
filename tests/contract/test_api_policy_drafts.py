"""Drafts of the policy through the REST interface, as a program meets them; and explanations of calls."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest
from api_site import ApiStage


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory, migrated_file: Path) -> Iterator[ApiStage]:
    folder = tmp_path_factory.mktemp("api-drafts")
    made = ApiStage(folder, Path(shutil.copy(migrated_file, folder / "pbx.sqlite")))
    with made.served():
        yield made


@pytest.fixture(scope="module")
def client(stage: ApiStage) -> Iterator[httpx2.Client]:
    with stage.client(stage.token()) as program:
        yield program


def test_a_draft_is_made_tried_and_applied_and_is_refused_when_it_is_outdated(client: httpx2.Client) -> None:
    number = client.get("/v1/policy").json()["number"]
    assert client.post("/v1/policy/drafts", json={"name": "autumn/2"}).status_code == 422, "it stands in paths"
    draft = client.post("/v1/policy/drafts", json={"name": "autumn", "comment": "why"}).json()
    assert (draft["base"], draft["created_by"].startswith("API token")) == (number, True)
    assert [one["name"] for one in client.get("/v1/policy/drafts").json()] == ["autumn", "draft of 1"]
    path = "/v1/policy/drafts/autumn"
    document = {**client.get(path).json()["document"], "pause_seconds": 60, "departments": {"incoming": []}}
    edited = client.put(path, json={"document": document, "comment": "other"}).json()
    assert (edited["comment"], edited["document"]["pause_seconds"]) == ("other", 60)
    beside = client.get(f"{path}/changes").json()
    assert [change["setting"] for change in beside["changes"]] == ["pause_seconds", "departments: incoming"]
    assert (beside["outdated"], beside["in_force"]) == (False, number)
    tried = client.post("/v1/policy/trial", json={"draft": "autumn", "days": 366})
    assert (tried.status_code, tried.json()["gained"]) == (200, 0)
    assert client.post("/v1/policy/trial", json={}).status_code == 422
    assert client.post("/v1/policy/trial", json={"draft": "nowhere"}).status_code == 422
    client.put("/v1/policy/switch", json={"recording": False})
    assert client.post(f"{path}/apply", json={}).status_code == 409
    assert client.post(f"{path}/rebase").json()["base"] == number + 1
    done = client.post(f"{path}/apply", json={"comment": "done"})
    assert (done.status_code, done.json()["number"], done.json()["applied"]) == (201, number + 2, True)
    now = client.get("/v1/policy").json()["document"]
    assert (now["pause_seconds"], now["recording_off"]) == (60, True)
    assert client.get(path).status_code == 404
    assert client.post(f"/v1/policy/versions/{number}/rollback", json={}).status_code == 201


def test_the_beep_is_set_for_a_direction(client: httpx2.Client) -> None:
    path = "/v1/policy/drafts/beeping"
    read = client.post("/v1/policy/drafts", json={"name": "beeping"}).json()["document"]
    assert (read["beep_seconds_directions"], read["beep_to_directions"]) == ({}, {})
    beeping = {"beep_seconds_directions": {"internal": 30}, "beep_to_directions": {"internal": "user"}}
    edited = client.put(path, json={"document": {**read, **beeping}}).json()["document"]
    assert {key: edited[key] for key in beeping} == beeping
    wrong = client.put(path, json={"document": {**read, "beep_seconds_directions": {"internal": 5}}})
    assert (wrong.status_code, "internal 5 is out of range" in wrong.json()["detail"]) == (422, True)
    assert client.delete(path).status_code == 204


def test_of_two_who_work_on_one_draft_the_second_is_told(client: httpx2.Client) -> None:
    read = client.post("/v1/policy/drafts", json={"name": "shared"}).json()
    path, as_read = "/v1/policy/drafts/shared", read["changed_at"]
    mine, theirs = ({**read["document"], "pause_seconds": seconds} for seconds in (30, 60))
    assert client.put(path, json={"document": theirs, "as_read": as_read}).status_code == 200
    late = client.put(path, json={"document": mine, "as_read": as_read})
    assert (late.status_code, "changed since" in late.json()["detail"]) == (409, True)
    assert client.get(path).json()["document"]["pause_seconds"] == 60
    assert client.put(path, json={"document": mine}).status_code == 200
    assert client.delete(path).status_code == 204


def test_an_explanation_tells_what_became_of_it(client: httpx2.Client) -> None:
    told = client.get("/v1/calls/1700000001.5/explanation").json()
    assert any(sentence.startswith("Policy version") for sentence in told["words"])
    assert any(sentence.startswith("Recording ") for sentence in told["words"])
    assert len(told["recording_ids"]) == 1
    (decision,) = told["decisions"]
    assert decision["words"][-1].endswith("the first rule that matches decides.")
