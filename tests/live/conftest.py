"""One site for all live tests: a private Asterisk, the product's own processes, a company."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from stage import Stage

from pbx_plugin.sandbox.site import Site


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "tests/live" in str(item.path):
            item.add_marker("live")


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with Site(tmp_path_factory.mktemp("site")) as running:
        yield running


@pytest.fixture(scope="module")
def stage(site: Site, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    made = Stage(site, tmp_path_factory.mktemp("stage"))
    yield made
    made.close()
