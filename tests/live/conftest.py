"""Hands the live tests their fixtures. All code is in stage_fixtures.py, where the type checker sees it."""

from __future__ import annotations

import pytest
from stage_fixtures import site, stage

from pbx_plugin.sandbox.provision import CURRENT, RELEASES

__all__ = ["site", "stage"]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--asterisk", choices=list(RELEASES), default=CURRENT.name, help="which Asterisk plays the calls")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "tests/live" in str(item.path):
            item.add_marker("live")
