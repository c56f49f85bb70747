"""Programs delete recordings and change when they go, within what their company allows."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from api_site import ApiStage

from pbx_plugin.clock import now
from pbx_plugin.db.handing import DatabaseHanding
from pbx_plugin.domain.handing import Rules
from pbx_plugin.services.tokens import Scope


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory, migrated_file: Path) -> Iterator[ApiStage]:
    folder = tmp_path_factory.mktemp("deleting")
    made = ApiStage(folder, Path(shutil.copy(migrated_file, folder / "pbx.sqlite")))
    with made.served():
        yield made


def recorded(stage: ApiStage, number: str) -> str:
    stage.call(stage.own, number, now() - timedelta(minutes=5))
    return stage.recording(stage.own, number)


def test_a_program_deletes_a_recording_for_ever(stage: ApiStage) -> None:
    recording = recorded(stage, "1800000000.1")
    with stage.client(stage.token(Scope.RECORDINGS_READ)) as reader:
        assert reader.delete(f"/v1/recordings/{recording}").status_code == 403
    with stage.client(stage.token()) as program:
        place = f"/v1/recordings/{recording}"
        assert program.delete(place, params={"dry_run": True}).json()["state"] == "deleted"
        assert program.get(f"{place}/audio").status_code == 200
        assert program.delete(place).json() == {"recording_id": recording, "state": "deleted"}
        assert program.get(place).json()["state"] == "deleted"
        assert program.get(f"{place}/audio").status_code == 409
        again = program.delete(place)
        assert (again.status_code, "deleted already" in again.json()["detail"]) == (409, True)
        foreign = stage.recording(stage.other, "1700000002.5")
        assert program.delete(f"/v1/recordings/{foreign}").status_code == 404


def test_a_program_asks_where_the_company_wants_a_second_person(stage: ApiStage) -> None:
    recording = recorded(stage, "1800000000.2")
    with stage.desk(stage.own.tenant) as desk:
        pass
    rules = DatabaseHanding(stage.engine)
    rules.save_rules(desk, Rules(second_person=True))
    with stage.client(stage.token()) as program:
        assert program.delete(f"/v1/recordings/{recording}").json()["state"] == "asked"
        assert program.get(f"/v1/recordings/{recording}/audio").status_code == 200
        rules.save_rules(desk, Rules(deleting=False))
        other = recorded(stage, "1800000000.3")
        refused = program.delete(f"/v1/recordings/{other}")
        assert (refused.status_code, "forbids" in refused.json()["detail"]) == (409, True)


def test_a_program_changes_when_a_recording_goes(stage: ApiStage) -> None:
    recording = recorded(stage, "1800000000.4")
    wanted = (now() + timedelta(days=40)).replace(microsecond=0)
    with stage.client(stage.token()) as program:
        place = f"/v1/recordings/{recording}/expiry"
        assert program.put(place, json={"expires_at": wanted.isoformat()}).status_code == 200
        late = program.put(place, json={"expires_at": (wanted + timedelta(days=800)).isoformat()})
        assert (late.status_code, "longer than a year" in late.json()["detail"]) == (422, True)
        assert program.put(place, json={"expires_at": "soon"}).status_code == 422
