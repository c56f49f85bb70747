"""The fixtures of the live tests; ``conftest.py`` hands them to pytest."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from stage import Stage

from pbx_plugin.sandbox.provision import CURRENT, RELEASES
from pbx_plugin.sandbox.site import Site


@pytest.fixture(scope="session")
def site(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A private Asterisk, the product's own processes, a company; one for all live tests.

    ``--asterisk 16`` has any of them play on the old end.
    """
    release = RELEASES[request.config.getoption("--asterisk", default=CURRENT.name)]
    with Site(tmp_path_factory.mktemp("site"), release=release) as running:
        yield running


@pytest.fixture(scope="module")
def stage(site: Site, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """Phones and ears for one file of tests."""
    made = Stage(site, tmp_path_factory.mktemp("stage"))
    yield made
    made.close()
