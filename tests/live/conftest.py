"""Hands the live tests their fixtures. All code is in stage_fixtures.py, where the type checker sees it."""

from __future__ import annotations

import pytest
from stage_fixtures import site, stage

__all__ = ["site", "stage"]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "tests/live" in str(item.path):
            item.add_marker("live")
