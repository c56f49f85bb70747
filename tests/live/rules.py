"""Changing the company's rules in the middle of tests, as its administrator would."""

from __future__ import annotations

from collections.abc import Iterator
from uuid import uuid4

import pytest
from stage import talk

from pbx_plugin.clock import now
from pbx_plugin.db.directory import change_directory
from pbx_plugin.db.engine import make_engine
from pbx_plugin.sandbox.site import Site
from pbx_plugin.services import policies
from pbx_plugin.services.audit import Desk


def apply_policy(site: Site, **changes: object) -> None:
    """Put a policy in force that differs in this; the recorder has it within a second."""
    engine = make_engine(site.settings.database, busy_ms=5000)
    with change_directory(engine) as directory:
        desk = Desk(directory, directory.tenants()[0], "live test", now(), lambda: str(uuid4()))
        document = policies.document_of(desk, policies.in_force(desk))
        policies.apply(desk, {**document, **changes}, acknowledged=True)
    engine.dispose()
    talk(2)


@pytest.fixture(scope="module")
def untold(site: Site) -> Iterator[None]:
    """No announcement before a recording: it begins with the answer, and its seconds can be counted."""
    apply_policy(site, announce="no announcement")
    yield
    apply_policy(site, announce="announce or do not record")
