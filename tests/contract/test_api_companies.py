"""Companies apart, and rights: every route with every object of another company, and with each scope taken away.

Made from the routes themselves: a route whose parameters nobody has an object for fails here, and so does one that
asks for no scope.
"""

from __future__ import annotations

import itertools
import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from api_site import ApiStage
from fastapi.routing import APIRoute

from pbx_plugin.api.app import ROUTERS
from pbx_plugin.api.caller import Needs
from pbx_plugin.clock import now
from pbx_plugin.services.tokens import Scope

ROUTES = [route for router in ROUTERS for route in router.routes if isinstance(route, APIRoute)]
PARAMETERS = {"number": {"/v1/numbers/{number}": "number", "/v1/policy/versions/{number}": "version"}}
"""Names of path parameters that stand for different things in different places, by the beginning of the path."""

BODIES: dict[str, Any] = {
    "POST /v1/people": {"name": "Bo", "extension": "199"},
    "PATCH /v1/people/{person}": {"name": "Changed"},
    "PUT /v1/people/{person}/enrolment": {"mode": "always"},
    "POST /v1/departments": {"name": "New"},
    "POST /v1/units": {"kind": "office", "name": "New"},
    "PATCH /v1/units/{unit}": {"name": "Changed"},
    "POST /v1/people/{person}/acknowledgement": {"how": "on paper"},
    "POST /v1/recording-groups": {"name": "New"},
    "PATCH /v1/recording-groups/{recording_group}": {"name": "Changed"},
    "POST /v1/imports": "name,extension\nBo,196\n",
    "POST /v1/groups": {"name": "new", "number": "198"},
    "PATCH /v1/groups/{group}": {"name": "changed"},
    "POST /v1/numbers": {"number": "+4570999999", "user": "101"},
    "POST /v1/consent-numbers": {"number": "197", "yes": "yes1", "no": "no1"},
    "PATCH /v1/consent-numbers/{number}": {"tries": 2},
    "POST /v1/exclusions": {"number": "+4531999999"},
    "POST /v1/policy/versions": {"document": {}},
    "POST /v1/policy/versions/{number}/rollback": {},
    "PUT /v1/policy/switch": {"recording": True},
    "POST /v1/policy/drafts": {"name": "new"},
    "PUT /v1/policy/drafts/{draft}": {"document": {}},
    "POST /v1/policy/drafts/{draft}/apply": {},
    "POST /v1/policy/trial": {"document": {}},
    "PUT /v1/calls/{call}/tags": {"tags": ["a", "b", "c"]},
    "PUT /v1/calls/{call}/toggle": {"user": "101", "wanted": "on"},
    "PUT /v1/calls/{call}/pause": {"user": "101", "wanted": "on"},
    "POST /v1/calls/{call}/withdrawal": {"user": "101"},
    "POST /v1/recordings/{recording}/notes": {"text": "heard"},
    "PUT /v1/recordings/{recording}/expiry": {"expires_at": "2026-12-24T00:00:00Z"},
    "POST /v1/webhooks": {"url": "https://new.example.com/", "events": ["stored"]},
}
"""A body for every route that takes one; foreign references in bodies are tried below."""

REFERENCES = [
    ("POST /v1/groups", "members", "person", list),
    ("POST /v1/numbers", "user", "person", str),
    ("POST /v1/numbers", "group", "group", str),
    ("POST /v1/numbers", "consent_number", "consent_number", str),
    ("POST /v1/consent-numbers", "yes", "group", str),
    ("POST /v1/people", "department", "department", str),
    ("PATCH /v1/people/{person}", "department", "department", str),
    ("PATCH /v1/groups/{group}", "members", "person", list),
    ("POST /v1/recording-groups", "members", "person", list),
    ("POST /v1/recording-groups", "supervisors", "person", list),
    ("PATCH /v1/recording-groups/{recording_group}", "members", "person", list),
    ("PATCH /v1/recording-groups/{recording_group}", "supervisors", "person", list),
    ("PATCH /v1/consent-numbers/{number}", "no", "group", str),
    ("POST /v1/exclusions", "user", "person", str),
    ("PUT /v1/calls/{call}/toggle", "user", "person", str),
    ("PUT /v1/calls/{call}/pause", "user", "person", str),
    ("POST /v1/calls/{call}/withdrawal", "user", "person", str),
]


def method_of(route: APIRoute) -> str:
    return min(route.methods or ())


def name_of(route: APIRoute) -> str:
    return f"{method_of(route)} {route.path}"


def thing(path: str, parameter: str) -> str:
    """What a path's parameter stands for."""
    if parameter == "number" and path.startswith("/v1/consent-numbers"):
        return "consent_number"
    for begins, meaning in PARAMETERS.get(parameter, {}).items():
        if path.startswith(begins):
            return meaning
    return parameter


def parameters(route: APIRoute) -> list[str]:
    return re.findall(r"{(\w+)}", route.path)


def needed(route: APIRoute) -> Scope | None:
    """The scope that a route asks for. Fails for one that asks for no token at all."""
    needs = [sub.call for sub in route.dependant.dependencies if isinstance(sub.call, Needs)]
    assert len(needs) == 1, f"{name_of(route)} asks for no token"
    return needs[0].scope


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory, migrated_file: Path) -> Iterator[ApiStage]:
    folder = tmp_path_factory.mktemp("companies")
    made = ApiStage(folder, Path(shutil.copy(migrated_file, folder / "pbx.sqlite")))
    with made.served():
        yield made


@pytest.fixture(scope="module")
def secret(stage: ApiStage) -> str:
    return stage.token()


def send(stage: ApiStage, secret: str | None, route: APIRoute, things: dict[str, str], body: Any = None) -> Any:
    path = route.path.format(**{name: things[thing(route.path, name)] for name in parameters(route)})
    with stage.client(secret) as client:
        given = BODIES.get(name_of(route)) if body is None else body
        path = path.replace("+", "%2B")
        if isinstance(given, str):
            headers = {"Content-Type": "text/csv"}
            return client.request(method_of(route), f"{path}?table=users", content=given, headers=headers)
        return client.request(method_of(route), path, json=given)


def rows(stage: ApiStage) -> list[str]:
    """Everything in the database that is the other company's."""
    with stage.engine.connect() as connection:
        return list(connection.connection.driver_connection.iterdump())  # type: ignore[union-attr]


def theirs(stage: ApiStage) -> list[str]:
    return [line for line in rows(stage) if stage.other.tenant.id in line]


FOREIGN = [
    (route, bad)
    for route in ROUTES
    for bad in itertools.product((False, True), repeat=len(parameters(route)))
    if any(bad)
]


@pytest.mark.parametrize(
    ("route", "bad"), FOREIGN, ids=lambda value: name_of(value) if isinstance(value, APIRoute) else str(value)
)
def test_what_is_another_companys_is_not_there(
    stage: ApiStage, secret: str, route: APIRoute, bad: tuple[bool, ...]
) -> None:
    things = dict(stage.own.things)
    for parameter, foreign in zip(parameters(route), bad, strict=True):
        if foreign:
            things[thing(route.path, parameter)] = stage.other.things[thing(route.path, parameter)]
    before, asked = theirs(stage), len(stage.asked)
    answer = send(stage, secret, route, things)
    assert answer.status_code == 404, answer.text
    if method_of(route) != "HEAD":
        said = json.dumps(answer.json())
        given = set(things.values())
        assert [word for word in stage.other.words if word in said and word not in given] == []
    assert theirs(stage) == before
    assert len(stage.asked) == asked


@pytest.mark.parametrize("route", [route for route in ROUTES if not parameters(route)], ids=name_of)
def test_no_list_and_no_answer_holds_anything_of_another_company(stage: ApiStage, secret: str, route: APIRoute) -> None:
    before = theirs(stage)
    answer = send(stage, secret, route, stage.own.things)
    assert answer.status_code < 500
    assert [word for word in stage.other.words if word in answer.text] == []
    assert theirs(stage) == before


@pytest.mark.parametrize(("name", "key", "what", "kind"), REFERENCES)
def test_a_body_cannot_refer_to_what_is_another_companys(
    stage: ApiStage, secret: str, name: str, key: str, what: str, kind: type
) -> None:
    (route,) = [route for route in ROUTES if name_of(route) == name]
    foreign = stage.other.things[what]
    body = {**BODIES[name], key: [foreign] if kind is list else foreign}
    if name == "POST /v1/numbers":
        body = {"number": "+4570999999", key: foreign}
    if name == "POST /v1/exclusions":
        body = {"user": foreign}
    things = {**stage.own.things, "call": stage.call(stage.own, f"1700000001.{next(NUMBERS)}", now(), ended=False)}
    before = theirs(stage)
    answer = send(stage, secret, route, things, body)
    assert answer.status_code == 422, answer.text
    assert theirs(stage) == before


def test_the_policy_cannot_speak_of_another_companys_groups(stage: ApiStage, secret: str) -> None:
    with stage.client(secret) as client:
        groups = {stage.other.things["group"]: "never (refused via IVR)"}
        answer = client.post("/v1/policy/versions", json={"document": {"groups": groups}})
    assert answer.status_code == 422


@pytest.mark.parametrize("route", ROUTES, ids=name_of)
def test_a_token_without_the_scope_is_refused_and_changes_nothing(stage: ApiStage, route: APIRoute) -> None:
    scope = needed(route)
    assert scope is not None
    without = stage.token(*(other for other in Scope if other is not scope))
    before, asked = rows(stage), len(stage.asked)
    for things in (stage.own.things, stage.other.things):
        answer = send(stage, without, route, things)
        assert answer.status_code == 403
        assert method_of(route) == "HEAD" or scope.value in answer.json()["detail"]
    assert without_tokens(rows(stage)) == without_tokens(before)
    assert len(stage.asked) == asked


@pytest.mark.parametrize("route", ROUTES, ids=name_of)
def test_nobody_comes_in_without_a_token(stage: ApiStage, route: APIRoute) -> None:
    for secret in (None, "pbxp_wrong"):
        answer = send(stage, secret, route, stage.own.things)
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"].startswith("Bearer")


def test_every_body_that_a_route_takes_is_tried() -> None:
    taking = {name_of(route) for route in ROUTES if route.body_field is not None}
    assert taking == set(BODIES)


def test_every_scope_but_the_drafts_opens_something() -> None:
    assert {needed(route) for route in ROUTES} == set(Scope) - {Scope.POLICY_DRAFT}


def test_tags_that_wait_for_a_call_never_come_to_another_companys(stage: ApiStage, secret: str) -> None:
    linkedid = "1700000002.1"  # the other company's, which this one could guess
    with stage.client(secret) as ours, stage.client(stage.token(tenant=stage.other.tenant)) as their:
        answer = ours.put(f"/v1/calls/{linkedid}/tags", json={"tags": ["spy", "", ""]})
        unknown = ours.put("/v1/calls/1799999999.1/tags", json={"tags": ["spy", "", ""]})
        assert (answer.status_code, answer.json()) == (unknown.status_code, unknown.json())
        assert answer.status_code == 202
        assert their.get(f"/v1/calls/{linkedid}/tags").json()["tags"] == ["", "", ""]


def without_tokens(lines: list[str]) -> list[str]:
    return [line for line in lines if "api_token" not in line]


NUMBERS = itertools.count(100)
