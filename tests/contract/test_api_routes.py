"""The REST interface as a program meets it: a real server, a real database, two companies."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import time
from collections.abc import Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx2
import pytest
from api_site import SOUND, ApiStage
from call_entries import NOON
from sqlalchemy import select

from pbx_plugin.api.limits import Buckets
from pbx_plugin.api.problems import TITLES
from pbx_plugin.api.site import NotAskedError
from pbx_plugin.clock import now
from pbx_plugin.db.engine import reading
from pbx_plugin.db.handing import DatabaseHanding
from pbx_plugin.db.listeners import DatabaseListeners
from pbx_plugin.db.models import ApiTokenRow, AuditRow
from pbx_plugin.domain.entries import Audited, CallBegan
from pbx_plugin.domain.handing import Rules
from pbx_plugin.domain.receipt import read
from pbx_plugin.services.listeners import LONGEST_LEASE
from pbx_plugin.services.ranges import UnsatisfiableError, part_of
from pbx_plugin.services.receipts import Finding, verify
from pbx_plugin.services.tokens import Scope
from pbx_plugin.services.webhooks import Event, signature
from pbx_plugin.settings import Api
from pbx_plugin.storage.site_keys import SiteKeys

DOCUMENT = Path(__file__).parents[2] / "docs" / "api.md"
PROBLEM = "application/problem+json"


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory, migrated_file: Path) -> Iterator[ApiStage]:
    folder = tmp_path_factory.mktemp("api")
    made = ApiStage(folder, Path(shutil.copy(migrated_file, folder / "pbx.sqlite")))
    with made.served():
        yield made


@pytest.fixture(scope="module")
def client(stage: ApiStage) -> Iterator[httpx2.Client]:
    with stage.client(stage.token()) as program:
        yield program


def audited(stage: ApiStage, action: str) -> list[AuditRow]:
    with reading(stage.engine) as session:
        return list(session.scalars(select(AuditRow).where(AuditRow.action == action).order_by(AuditRow.seq)))


def _listeners_most(stage: ApiStage, most: int) -> None:
    with stage.desk(stage.own.tenant) as desk:
        pass
    DatabaseHanding(stage.engine).save_rules(desk, Rules(listeners_most=most))


def test_a_receipt_is_given_out_signed_and_the_same_every_time(stage: ApiStage, client: httpx2.Client) -> None:
    (listed, *_) = client.get("/v1/receipts").json()["items"]
    answer = client.get(f"/v1/receipts/{listed['evidence_id']}/signed")
    assert answer.headers["content-type"] == "application/json"
    found = read(answer.content)
    (key,) = SiteKeys(stage.settings.paths.keys).all()
    assert verify(found, fingerprints=[key.fingerprint]).finding is Finding.GENUINE
    assert found.statement["evidence"] == listed["evidence_id"]
    assert client.get(f"/v1/receipts/{listed['evidence_id']}/signed").content == answer.content


class TestTokens:
    def test_only_the_digest_is_kept(self, stage: ApiStage) -> None:
        secret = stage.token()
        with stage.engine.connect() as connection:
            everything = "\n".join(connection.connection.driver_connection.iterdump())  # type: ignore[union-attr]
        assert secret not in everything

    def test_a_revoked_one_opens_nothing_from_then_on(self, stage: ApiStage) -> None:
        secret = stage.token()
        with stage.client(secret) as program:
            name = program.get("/v1/me").json()["token"]
            with stage.desk(stage.own.tenant) as desk:
                pass
            stage.site.tokens.revoke(desk, name)
            answer = program.get("/v1/me")
        assert answer.status_code == 401
        assert "revoked" in answer.json()["detail"]

    def test_one_ends_at_its_expiry(self, stage: ApiStage) -> None:
        expiry = now() + timedelta(seconds=1.5)
        with stage.client(stage.token(expires_at=expiry)) as program:
            assert program.get("/v1/me").status_code == 200
            while now() < expiry:
                pass
            assert program.get("/v1/me").status_code == 401

    def test_when_and_from_where_one_was_used_is_known(self, stage: ApiStage) -> None:
        before = now()
        with stage.client(stage.token()) as program:
            name = program.get("/v1/me").json()["token"]
        with reading(stage.engine) as session:
            row = session.scalars(select(ApiTokenRow).where(ApiTokenRow.name == name)).one()
        assert row.used_at is not None
        assert before <= row.used_at <= now()
        assert row.used_from == "127.0.0.1"

    def test_who_asks_too_much_is_told_when_to_come_back(self, tmp_path: Path, sqlite_file: Path) -> None:
        stage = ApiStage(tmp_path, sqlite_file, token_rate=0.5, token_burst=3)
        with stage.served(), stage.client(stage.token()) as program, stage.client(stage.token()) as another:
            answers = [program.get("/v1/me") for _ in range(4)]
            assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
            assert 1 <= int(answers[-1].headers["retry-after"]) <= 2
            assert answers[-1].headers["content-type"] == PROBLEM
            assert another.get("/v1/me").status_code == 200

    def test_an_address_that_guesses_tokens_is_soon_shut_out(self, tmp_path: Path, sqlite_file: Path) -> None:
        stage = ApiStage(tmp_path, sqlite_file, address_rate=0.5, address_burst=30)
        with stage.served():
            found = []
            for _ in range(5):
                with stage.client(f"pbxp_{uuid4().hex}") as program:
                    found.append(program.get("/v1/me").status_code)
        assert found == [401, 401, 401, 429, 429]


class TestProblems:
    @pytest.mark.parametrize(
        ("method", "path", "body", "status", "words"),
        [
            ("POST", "/v1/people", b"{", 400, "JSON"),
            ("POST", "/v1/people", b'{"name": "\\ud800", "extension": "190"}', 422, "name"),
            ("POST", "/v1/people", b'{"name": "a\\u0000b", "extension": "190"}', 422, "not valid text"),
            ("POST", "/v1/people", b'{"name": "Bo"}', 422, "extension"),
            ("POST", "/v1/people", b'{"name": "Bo", "extension": "1x"}', 422, "'1x'"),
            ("POST", "/v1/people", b'{"name": "Bo", "extension": "101"}', 422, "taken by user Anna 1"),
            ("POST", "/v1/people", b'{"name": "Bo", "extension": "190", "colour": 1}', 422, "colour"),
            ("POST", "/v1/policy/versions", b'{"document": {"retention_days": 1e999}}', 422, "retention_days"),
            ("POST", "/v1/policy/versions", b"[" * 100_000, 400, ""),
            ("GET", "/v1/calls?cursor=nonsense", b"", 422, "'nonsense'"),
            ("GET", "/v1/calls?since=0001-01-01T00:00:00%2B23:00", b"", 422, "since"),
            ("GET", "/v1/calls?limit=0", b"", 422, "limit"),
            ("GET", "/v1/nothing", b"", 404, "/v1/nothing"),
            ("PUT", "/v1/people", b"", 405, "GET, POST"),
            ("DELETE", "/v1/groups/yes1", b"", 409, "consent number 160 sends callers"),
        ],
    )
    def test_each_says_what_is_wrong_and_with_which_value(
        self, client: httpx2.Client, method: str, path: str, body: bytes, status: int, words: str
    ) -> None:
        answer = client.request(method, path, content=body, headers={"Content-Type": "application/json"})
        assert answer.status_code == status, answer.text
        assert answer.headers["content-type"] == PROBLEM
        problem = answer.json()
        assert words in problem["detail"]
        assert problem["status"] == status
        assert problem["request_id"] == answer.headers["x-request-id"]

    def test_a_program_can_name_its_request_but_not_write_into_the_log(self, client: httpx2.Client) -> None:
        assert client.get("/v1/me", headers={"X-Request-Id": "crm-17"}).headers["x-request-id"] == "crm-17"
        assert client.get("/v1/me", headers={"X-Request-Id": "a b{}"}).headers["x-request-id"] != "a b{}"

    @pytest.mark.parametrize("told", [True, False])
    def test_a_body_that_is_too_large_is_not_read(self, stage: ApiStage, client: httpx2.Client, told: bool) -> None:
        body = b"x" * (stage.settings.api.largest_body + 1)
        answer = client.post("/v1/people", content=body if told else iter([body[:1000], body[1000:]]))
        assert answer.status_code == 413
        assert answer.headers["content-type"] == PROBLEM

    def test_health_needs_no_token_and_tells_of_a_database_that_is_away(
        self, tmp_path: Path, sqlite_file: Path
    ) -> None:
        stage = ApiStage(tmp_path, sqlite_file)
        secret = stage.token()
        with stage.served(), stage.client(None) as program, stage.client(secret) as known:
            assert program.get("/health").json() == {"status": "ok"}
            stage.engine.dispose()
            sqlite_file.rename(tmp_path / "away")
            for answer in (program.get("/health"), known.get("/v1/people")):
                assert answer.status_code == 503
                assert answer.headers["retry-after"] == "2"


class TestPeople:
    def test_one_is_added_changed_enrolled_and_removed(self, stage: ApiStage, client: httpx2.Client) -> None:
        made = client.post("/v1/people", json={"name": "Ćiro 'Ć' \u202e;--", "extension": "171"})
        assert made.status_code == 201
        person = made.json()
        assert (person["devices"], person["enrolled"], person["name"]) == (["PJSIP/171"], False, "Ćiro 'Ć' \u202e;--")
        changed = client.patch("/v1/people/171", json={"department": "Sales 1", "may_pause": True}).json()
        assert (changed["department"], changed["may_pause"], changed["name"]) == ("Sales 1", True, person["name"])
        assert client.put(f"/v1/people/{person['id']}/enrolment", json={"mode": "always"}).json()["enrolled"] is True
        assert client.delete("/v1/people/171/enrolment").json()["enrolled"] is False
        assert client.delete("/v1/people/171").json()["removed"] is True
        assert client.get("/v1/people/171").status_code == 404
        assert person["id"] in [one["id"] for one in client.get("/v1/people?removed=true").json()]
        by = [row.actor for row in audited(stage, "user added") if row.subject == person["id"]]
        assert by == [f"API token {client.get('/v1/me').json()['token']}"]

    def test_nothing_stays_of_a_dry_run(self, client: httpx2.Client) -> None:
        answer = client.post("/v1/people?dry_run=true", json={"name": "Bo", "extension": "172"})
        assert answer.status_code == 201
        assert client.get("/v1/people/172").status_code == 404


def test_groups_numbers_and_exclusions_are_made_and_unmade(client: httpx2.Client) -> None:
    group = client.post("/v1/groups", json={"name": "fresh", "number": "181", "members": ["101"], "bridged": True})
    assert group.json()["members"] == ["101"]
    assert client.patch("/v1/groups/fresh", json={"ring_seconds": 7}).json()["bridged"] is True
    consent = client.post("/v1/consent-numbers", json={"number": "182", "yes": "fresh", "no": "no1", "tries": 2}).json()
    assert client.patch(f"/v1/consent-numbers/{consent['id']}", json={"keep_days": 30}).json()["keep_days"] == 30
    number = client.post("/v1/numbers", json={"number": "70 30 40 50", "consent_number": "182"}).json()
    assert number["number"] == "+4570304050"
    assert client.delete("/v1/consent-numbers/182").status_code == 409
    assert client.delete("/v1/numbers/70304050").json() == number
    assert client.delete("/v1/consent-numbers/182").status_code == 200
    assert client.delete("/v1/groups/fresh").status_code == 200
    excluded = client.post("/v1/exclusions", json={"number": "31 20 01 77", "expires_at": "2099-01-01T00:00:00+01:00"})
    assert (excluded.json()["number"], excluded.json()["expires_at"]) == ("+4531200177", "2098-12-31T23:00:00Z")
    assert client.delete(f"/v1/exclusions/{excluded.json()['id']}").status_code == 200


def test_a_consent_number_speaks_languages_and_leads_to_users_but_not_into_the_dialplan(
    stage: ApiStage, client: httpx2.Client
) -> None:
    with stage.client(stage.token(Scope.NUMBERS_READ)) as reader:
        (number, *_) = reader.get("/v1/consent-numbers").json()
    path = f"/v1/consent-numbers/{number['id']}?dry_run=true"
    change = {"by_country": ["SE=sv"], "by_key": ["9=de"], "no": f"user:{stage.own.things['person']}"}
    shown = client.patch(path, json=change).json()
    assert (shown["by_country"], shown["by_key"]) == ([["SE", "sv"]], [["9", "de"]])
    assert (shown["no_user_id"], shown["no_group_id"]) == (stage.own.things["person"], "")
    for answer in ("yes", "no"):
        refused = client.patch(path, json={answer: "dialplan:from-internal,004412345678,1"})
        assert (refused.status_code, "command line" in refused.json()["detail"]) == (422, True)
    assert client.patch(path, json={"no": f"user:{stage.other.things['person']}"}).status_code == 422


def test_a_policy_is_applied_compared_and_rolled_back(client: httpx2.Client) -> None:
    document = client.get("/v1/policy").json()["document"]
    tried = client.post("/v1/policy/versions?dry_run=true", json={"document": {**document, "retention_days": 30}})
    assert (tried.status_code, tried.json()["applied"]) == (201, False)
    done = client.post("/v1/policy/versions", json={"document": {**document, "retention_days": 30}, "comment": "why"})
    number = done.json()["number"]
    assert done.json()["changes"] == [{"setting": "retention_days", "before": 7, "after": 30}]
    assert client.get(f"/v1/policy/versions/{number}/changes").json() == done.json()["changes"]
    weaker = {**document, "announce": "no announcement"}
    refused = client.post("/v1/policy/versions", json={"document": weaker})
    assert (refused.status_code, "acknowledge" in refused.json()["detail"]) == (422, True)
    assert client.put("/v1/policy/switch", json={"recording": False}).json()["number"] == number + 1
    back = client.post(f"/v1/policy/versions/{number - 1}/rollback", json={}).json()
    assert back["number"] == number + 2
    assert client.get("/v1/policy").json()["document"] == document


class TestCalls:
    def test_pages_hold_every_call_once_also_when_new_ones_come_meanwhile(
        self, stage: ApiStage, client: httpx2.Client
    ) -> None:
        made = [
            stage.call(stage.own, f"1700000009.{number}", NOON + timedelta(hours=number // 2)) for number in range(7)
        ]
        found: list[str] = []
        cursor = ""
        while True:
            page = client.get(
                "/v1/calls", params={"limit": 3, "cursor": cursor, "since": "2026-01-01T00:00:00Z"}
            ).json()
            found += [call["call_id"] for call in page["items"]]
            stage.call(stage.own, f"1700000019.{len(found)}", NOON + timedelta(days=9))
            if page["next"] is None:
                break
            cursor = page["next"]
        assert len(found) == len(set(found))
        assert set(made) <= set(found)

    def test_why_a_call_was_recorded_is_told_in_words(self, stage: ApiStage, client: httpx2.Client) -> None:
        (decision,) = client.get("/v1/calls/1700000001.5/explanation").json()["decisions"]
        assert decision["words"][1].startswith("Rule 11 (user in mode always) decided, under policy version 1")
        assert decision["trace"][0]["matched"] is True

    def test_a_call_is_found_by_every_name_of_its_own_and_by_no_beginning(
        self, stage: ApiStage, client: httpx2.Client
    ) -> None:
        call = stage.own.things["call"]
        assert {client.get(f"/v1/calls/{name}").status_code for name in (call, "1700000001.5", "1700000001.51")} == {
            200
        }
        assert client.get(f"/v1/calls/{call[:8]}").status_code == 404
        whole = client.get(f"/v1/calls/{call}").json()
        assert len(whole["legs"]) == 2
        assert whole["gaps"][0]["reason"] == "no room"


class TestTags:
    def test_they_are_kept_before_anything_of_the_call_is_known_and_come_to_it(
        self, stage: ApiStage, client: httpx2.Client
    ) -> None:
        name = "pbx-1700000077.1"
        waiting = client.put(f"/v1/calls/{name}/tags", json={"tags": ["customer 17", None, "é😀" * 64]})
        assert waiting.status_code == 202
        assert waiting.json() == {"tags": ["customer 17", "", "é😀" * 64], "waiting": True}
        call_id = stage.call(stage.own, name, NOON, ended=False)
        assert client.get(f"/v1/calls/{call_id}/tags").json() == {
            "tags": ["customer 17", "", "é😀" * 64],
            "waiting": False,
        }
        done = client.put(f"/v1/calls/{call_id}/tags", json={"tags": ["", "case 4", None]})
        assert done.json()["tags"] == ["", "case 4", "é😀" * 64]
        assert client.get(f"/v1/calls/{name}").json()["tags"] == ["", "case 4", "é😀" * 64]

    @pytest.mark.parametrize("tags", [["a", "b"], ["a"] * 4, ["x" * 129, "", ""], ["a", "b", 3], ["\0", "", ""]])
    def test_three_of_128_characters_and_no_more(self, client: httpx2.Client, tags: list[Any]) -> None:
        assert client.put("/v1/calls/1700000001.5/tags", json={"tags": tags}).status_code == 422


class TestListening:
    def test_whole_and_in_parts_and_audited_once_for_each_token(self, stage: ApiStage) -> None:
        recording = stage.own.things["recording"]
        path = f"/v1/recordings/{recording}/audio"
        before = len(audited(stage, "listened"))
        with stage.client(stage.token()) as client:
            whole = client.get(path)
            assert (whole.status_code, whole.content, whole.headers["accept-ranges"]) == (200, SOUND, "bytes")
            assert whole.headers["content-type"] == "audio/wav"
            for asked, first, end in (
                ("bytes=0-0", 0, 1),
                ("bytes=100-299", 100, 300),
                ("bytes=102300-", 102_300, len(SOUND)),
                ("bytes=-10", len(SOUND) - 10, len(SOUND)),
                ("bytes=102390-999999", 102_390, len(SOUND)),
            ):
                part = client.get(path, headers={"Range": asked})
                assert (part.status_code, part.content) == (206, SOUND[first:end])
                assert part.headers["content-range"] == f"bytes {first}-{end - 1}/{len(SOUND)}"
        with stage.client(stage.token()) as another:
            another.get(path, headers={"Range": "bytes=0-9"})
        entries = audited(stage, "listened")[before:]
        assert [entry.subject for entry in entries] == [recording, recording]
        assert entries[0].actor.startswith("API token program")
        assert entries[0].detail["call"]

    def test_a_token_is_one_listener_of_the_company_s(self, stage: ApiStage) -> None:
        path = f"/v1/recordings/{stage.own.things['recording']}/audio"
        listeners = DatabaseListeners(stage.engine)
        _listeners_most(stage, 1)
        try:
            with stage.client(stage.token()) as one, stage.client(stage.token()) as another:
                assert [one.get(path).status_code for _ in range(2)] == [200, 200]
                refused = another.get(path, headers={"Range": "bytes=0-9"})
                assert (refused.status_code, refused.content[:4]) == (429, b'{"ty')
                assert 1 <= int(refused.headers["retry-after"]) <= 300
                assert "API token" in refused.json()["detail"]
                assert another.head(path).status_code == 200
                [listening] = listeners.listening(stage.own.tenant.id, now())
                assert listening.until - listening.since <= LONGEST_LEASE
        finally:
            _listeners_most(stage, 0)

    def test_a_part_of_another_file_is_the_whole_of_this_one(self, stage: ApiStage, client: httpx2.Client) -> None:
        path = f"/v1/recordings/{stage.own.things['recording']}/audio"
        tag = client.head(path).headers["etag"]
        assert client.get(path, headers={"Range": "bytes=0-9", "If-Range": tag}).status_code == 206
        assert client.get(path, headers={"Range": "bytes=0-9", "If-Range": '"other"'}).status_code == 200
        assert client.get(path, headers={"Range": "bytes=0-9,20-29"}).content == SOUND

    def test_behind_the_end_there_is_nothing(self, stage: ApiStage, client: httpx2.Client) -> None:
        path = f"/v1/recordings/{stage.own.things['recording']}/audio"
        answer = client.get(path, headers={"Range": f"bytes={len(SOUND)}-"})
        assert (answer.status_code, answer.headers["content-range"]) == (416, f"bytes */{len(SOUND)}")

    def test_who_asks_how_long_it_is_hears_nothing(self, stage: ApiStage, client: httpx2.Client) -> None:
        before = len(audited(stage, "listened"))
        answer = client.head(f"/v1/recordings/{stage.own.things['recording']}/audio")
        assert (answer.status_code, answer.headers["content-length"], answer.content) == (200, str(len(SOUND)), b"")
        assert len(audited(stage, "listened")) == before

    def test_one_that_is_still_being_made_has_no_sound_yet(self, stage: ApiStage, client: httpx2.Client) -> None:
        stage.call(stage.own, "1700000078.1", NOON, ended=False)
        recording = stage.recording(stage.own, "1700000078.1")
        answer = client.get(f"/v1/recordings/{recording}/audio")
        assert (answer.status_code, "it is recording" in answer.json()["detail"]) == (409, True)

    def test_a_link_in_the_archive_leads_nowhere(self, stage: ApiStage, client: httpx2.Client) -> None:
        recording = stage.own.things["recording"]
        place = stage.archive / stage.site.queries.exact_recording(recording, stage.own.tenant.id).recording.path
        place.rename(place.with_suffix(".kept"))
        place.symlink_to("/etc/hostname")
        try:
            assert client.get(f"/v1/recordings/{recording}/audio").status_code == 409
        finally:
            place.unlink()
            place.with_suffix(".kept").rename(place)

    @pytest.mark.parametrize(
        ("header", "part"),
        [
            (None, None),
            ("bytes=", None),
            ("bytes=-", None),
            ("bytes=5-2", None),
            ("lines=0-1", None),
            ("bytes=0-1,3-4", None),
            ("bytes=0-99", (0, 10)),
            ("bytes=-99", (0, 10)),
            ("BYTES= 2-3 ", (2, 4)),
        ],
    )
    def test_what_is_no_range_asks_for_the_whole(self, header: str | None, part: tuple[int, int] | None) -> None:
        assert part_of(header, 10) == part

    @pytest.mark.parametrize(
        ("header", "size"), [("bytes=10-", 10), ("bytes=-0", 10), ("bytes=0-", 0), ("bytes=-1", 0)]
    )
    def test_what_is_not_there_cannot_be_had(self, header: str, size: int) -> None:
        with pytest.raises(UnsatisfiableError):
            part_of(header, size)


def test_recordings_are_searched(stage: ApiStage, client: httpx2.Client) -> None:
    wanted = stage.own.things["recording"]
    fits: dict[str, Any] = {
        "extension": "101",
        "number": "200118",
        "direction": "incoming",
        "state": "stored",
        "shortest_ms": 55_000,
    }
    found = client.get("/v1/recordings", params={**fits, "limit": 500}).json()["items"]
    assert wanted in [one["recording_id"] for one in found]
    assert not {"path", "spool_in", "tenant_id"} & found[0].keys()
    others: dict[str, Any] = {"extension": "102", "number": "%", "direction": "outgoing", "shortest_ms": 55_001}
    for name, value in others.items():
        assert client.get("/v1/recordings", params={**fits, name: value}).json()["items"] == [], name


def test_notes_are_written_on_a_place_and_removed(stage: ApiStage, client: httpx2.Client) -> None:
    path = f"/v1/recordings/{stage.own.things['recording']}/notes"
    note = client.post(path, json={"text": "<b>angry</b>", "at_ms": 1500}).json()
    assert note in client.get(path).json()
    assert client.delete(f"{path}/{note['id']}").status_code == 204
    assert note not in client.get(path).json()
    assert client.delete(f"{path}/{note['id']}").status_code == 404


class TestRunningCalls:
    @pytest.fixture
    def running(self, stage: ApiStage) -> Iterator[str]:
        yield stage.call(stage.own, f"1700000088.{uuid4().int % 10**9}", now(), ended=False)
        stage.answer = lambda _: None

    def answering(self, stage: ApiStage, done: bool, what: str) -> None:
        def answer(said: Mapping[str, str]) -> None:
            detail = {"user": said["user"], "wanted": said["wish"], "done": done, "what": what}
            stage.apply(Audited(said["id"], stage.own.tenant.id, now(), said["actor"], "asked", said["call"], detail))

        stage.answer = answer

    def test_the_recorder_is_asked_in_the_users_name_and_its_answer_is_told(
        self, stage: ApiStage, client: httpx2.Client, running: str
    ) -> None:
        self.answering(stage, True, "on")
        answer = client.put(f"/v1/calls/{running}/toggle", json={"user": "101", "wanted": "on"})
        assert answer.status_code == 200, answer.text
        assert (answer.json()["done"], answer.json()["what"]) == (True, "on")
        asked = stage.asked[-1]
        assert (asked["call"], asked["user"], asked["deed"], asked["wish"]) == (
            *(running, stage.own.things["person"]),
            *("toggle", "on"),
        )
        assert asked["actor"].startswith("API token program")

    def test_what_the_recorder_refuses_is_refused(self, stage: ApiStage, client: httpx2.Client, running: str) -> None:
        self.answering(stage, False, "denied: user in mode always")
        answer = client.put(f"/v1/calls/{running}/pause", json={"user": "101", "wanted": "on"})
        assert (answer.status_code, "denied: user in mode always" in answer.json()["detail"]) == (409, True)

    def test_a_recorder_that_is_away_is_told_of(
        self, stage: ApiStage, client: httpx2.Client, running: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("pbx_plugin.api.routes.live.PATIENCE_S", 0.2)
        answer = client.post(f"/v1/calls/{running}/withdrawal", json={"user": "101"})
        assert (answer.status_code, "did not answer in time" in answer.json()["detail"]) == (503, True)

        def refuse(_: Mapping[str, str]) -> None:
            raise NotAskedError("no connection")

        stage.answer = refuse
        answer = client.post(f"/v1/calls/{running}/withdrawal", json={"user": "101"})
        assert (answer.status_code, "nothing was changed" in answer.json()["detail"]) == (503, True)

    def test_a_call_that_has_ended_cannot_be_changed(self, stage: ApiStage, client: httpx2.Client) -> None:
        answer = client.put("/v1/calls/1700000001.5/toggle", json={"user": "101", "wanted": "off"})
        assert (answer.status_code, "has ended" in answer.json()["detail"]) == (409, True)


def test_a_call_without_a_company_is_nobodys(stage: ApiStage, client: httpx2.Client) -> None:
    stage.apply(CallBegan("lost", "", "1700000099.1", NOON, 0, False, "incoming"))
    assert client.get("/v1/calls/lost").status_code == 404


def test_a_bucket_fills_again_and_memory_does_not_grow(monkeypatch: pytest.MonkeyPatch) -> None:
    at = 0.0
    buckets = Buckets(2.0, 4, lambda: at)
    assert [buckets.take("a") for _ in range(5)] == [0, 0, 0, 0, 1]
    at = 1.0
    assert [buckets.take("a") for _ in range(3)] == [0, 0, 1]
    monkeypatch.setattr("pbx_plugin.api.limits.MOST_KEPT", 10)
    for number in range(100):
        buckets.take(f"b{number}")
    assert len(buckets._left) <= 10


def test_scopes_are_what_the_token_says(stage: ApiStage) -> None:
    with stage.client(stage.token(Scope.CALLS_READ)) as program:
        assert program.get("/v1/me").json()["scopes"] == ["calls:read"]
        assert program.get("/v1/calls").status_code == 200
        assert program.get("/v1/recordings").status_code == 403


class TestDocument:
    """What docs/api.md says is so."""

    def blocks(self, language: str) -> list[str]:
        return re.findall(rf"^```{language}\n(.*?)^```", DOCUMENT.read_text(), re.DOTALL | re.MULTILINE)

    def test_every_curl_line_works_as_it_stands(self, stage: ApiStage, tmp_path: Path) -> None:
        commands = self.blocks("curl")
        assert len(commands) == 6
        (tmp_path / "staff.csv").write_text("name,extension\nBo,197\n", encoding="utf-8")
        for command in commands:
            typed = command.replace("$API", stage.url).replace("$TOKEN", stage.token())
            typed = typed.replace("RECORDING", stage.own.things["recording"])
            words = shlex.split(typed.replace("\\\n", " "))
            done = subprocess.run(
                [*words, "--silent", "--show-error", "--noproxy", "*", "--write-out", "\n%{http_code}"],
                cwd=tmp_path,
                capture_output=True,
                text=True,
                check=True,
                timeout=30,
            )
            assert done.stdout.splitlines()[-1] in ("200", "206"), (command, done.stdout)
        assert (tmp_path / "part.wav").read_bytes() == SOUND[:65536]

    def test_the_receiver_in_it_takes_what_is_signed_and_nothing_else(self) -> None:
        (code,) = self.blocks("python")
        names: dict[str, Any] = {}
        exec(code, names)
        header = signature("secret", int(time.time()), b"body")
        assert names["is_genuine"](header, b"body", "secret")
        assert not names["is_genuine"](header, b"other", "secret")
        assert not names["is_genuine"](signature("secret", int(time.time()) - 400, b"body"), b"body", "secret")

    def test_its_limits_and_statuses_are_the_programs(self) -> None:
        text = DOCUMENT.read_text()
        api = Api()
        assert f"| {api.token_rate:g}, {api.token_burst} |" in text
        assert f"| {api.address_rate:g}, {api.address_burst} |" in text
        assert f"`{api.host}`, `{api.port}`" in text
        assert f"| {api.largest_body} |" in text
        told = {int(found) for found in re.findall(r"^\| (\d{3}) \|", text, re.MULTILINE)}
        assert told == set(TITLES) - {405, 500}
        assert {event.value for event in Event} == set(re.findall(r"^\| `(\w+)` \| ", text.split("| event |")[1], re.M))
