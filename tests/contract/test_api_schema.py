"""The interface does what its OpenAPI document says, whatever a program sends: tried by schemathesis."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from api_site import ApiStage
from fastapi.routing import APIRoute
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from hypothesis.errors import Unsatisfiable
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi.checks import negative_data_rejection, positive_data_acceptance

from pbx_plugin.api.app import ROUTERS, build_app
from pbx_plugin.api.routes import account, live

pytestmark = pytest.mark.wide

schemathesis.serializer.alias("text/csv", "text/plain")

EXAMPLES = 3
"""A route, each of what the document allows and of what it forbids: quick enough for every check."""

BEYOND_A_SCHEMA = [positive_data_acceptance, negative_data_rejection]
"""What is of the right form may still be no number of Denmark; and a strange query parameter is not looked at."""

ROUTES = [
    (route.path, min(route.methods or ()))
    for router in (*ROUTERS, account.router)
    for route in router.routes
    if isinstance(route, APIRoute)
]


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory, migrated_file: Path) -> ApiStage:
    folder = tmp_path_factory.mktemp("schema")
    return ApiStage(folder, Path(shutil.copy(migrated_file, folder / "pbx.sqlite")))


@pytest.fixture(scope="module")
def secret(stage: ApiStage) -> str:
    return stage.token()


@pytest.fixture(scope="module")
def api(stage: ApiStage) -> Any:
    return schemathesis.openapi.from_asgi("/v1/openapi.json", build_app(stage.site))


@pytest.mark.parametrize("mode", list(GenerationMode), ids=lambda mode: mode.value)
@pytest.mark.parametrize(("path", "method"), ROUTES)
def test_every_answer_is_one_that_the_document_tells_of(
    api: Any,
    stage: ApiStage,
    secret: str,
    path: str,
    method: str,
    mode: GenerationMode,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # Nobody answers for the recorder here: waiting for it would take the whole time.
    monkeypatch.setattr(live, "PATIENCE_S", 0.01)
    cases = api[path][method].as_strategy(generation_mode=mode)

    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        derandomize=True,
        database=None,
        phases=(Phase.generate,),
        suppress_health_check=list(HealthCheck),
    )
    @given(st.data())
    def tried(data: st.DataObject) -> None:
        case = data.draw(cases)
        # The real things now and then, so that more is seen than what is not there.
        for name in case.path_parameters or {}:
            if data.draw(st.booleans()) and name in stage.own.things:
                case.path_parameters[name] = stage.own.things[name]
        case.call_and_validate(headers={"Authorization": f"Bearer {secret}"}, excluded_checks=BEYOND_A_SCHEMA)

    try:
        tried()
    except Unsatisfiable:
        assert mode is GenerationMode.NEGATIVE  # a route that takes nothing cannot be given anything wrong
