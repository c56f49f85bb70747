"""Until when a recording is kept: written with its row, and never longer than the caller was told."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from call_entries import TENANT, after, consent_taken, intended
from sqlalchemy import Engine, update

from pbx_plugin.db.apply import DatabaseApply
from pbx_plugin.db.engine import make_engine, reading, writing
from pbx_plugin.db.handing import recorded
from pbx_plugin.db.migrate import downgrade, upgrade
from pbx_plugin.db.models import RecordingRow
from pbx_plugin.domain.entries import ConsentRests, ConsentTaken, Entry

RUN = "recorder:one"


def told(days: int, outcome: str = "given") -> ConsentTaken:
    return replace(consent_taken(), keep_days=days, outcome=outcome)


def days_kept(engine: Engine, recording: str = "recording-1") -> float:
    with reading(engine) as session:
        row = session.get_one(RecordingRow, recording)
        assert row.expires_at is not None
        return (row.expires_at - row.at) / timedelta(days=1)


LONG = replace(intended(), retention_days=90)


@pytest.mark.parametrize(
    ("entries", "days"),
    [
        ([replace(LONG, evidence_id="")], 90),
        ([LONG], 90),
        ([told(30), LONG], 30),
        ([LONG, told(30)], 30),
        ([told(365), LONG], 90),
        ([told(0), LONG], 90),
        ([told(30, "refused"), LONG], 90),
        ([replace(told(30), tenant_id="another"), LONG], 90),
    ],
)
@pytest.mark.parametrize("at_once", [True, False])
def test_a_recording_goes_when_its_days_are_over_or_sooner_if_so_told(
    engine: Engine, entries: list[Entry], days: int, at_once: bool
) -> None:
    apply = DatabaseApply(engine)
    if at_once:
        apply(RUN, list(enumerate(entries, 1)))
    else:
        for position, entry in enumerate(entries, 1):
            apply(RUN, [(position, entry)])
    assert days_kept(engine) == days


SECOND = replace(consent_taken("evidence-2"), keep_days=7)
RESTS = ConsentRests("media-1", TENANT, "evidence-2", after(5))


@pytest.mark.parametrize("order", [(0, 1, 2, 3), (3, 1, 0, 2), (0, 2, 3, 1)])
@pytest.mark.parametrize(
    ("second", "days"),
    [(SECOND, 7), (replace(SECOND, outcome="refused"), 30), (replace(SECOND, tenant_id="another"), 30)],
)
def test_what_two_callers_are_heard_in_goes_when_the_shorter_time_told_is_over(
    engine: Engine, order: tuple[int, ...], second: ConsentTaken, days: int
) -> None:
    """What the recorder says comes in its order; what the consent IVR says has a journal of its own."""
    entries = (LONG, told(30), RESTS, second)
    for position, which in enumerate(order, 1):
        DatabaseApply(engine)(RUN, [(position, entries[which])])
    assert days_kept(engine) == days


def test_a_policy_that_keeps_longer_later_keeps_nothing_longer_than_was_told(engine: Engine) -> None:
    """Neither what is there already, also when the journal is told again, nor what is recorded from then on."""
    apply, later = DatabaseApply(engine), replace(LONG, retention_days=365, policy_version=9)
    apply(RUN, [(1, LONG), (2, told(14))])
    apply(RUN, [(3, later), (4, replace(later, recording_id="recording-2", media_id="media-2"))])
    assert (days_kept(engine), days_kept(engine, "recording-2")) == (14, 14)


@pytest.mark.parametrize(("shared", "allowed"), [([RESTS, SECOND], 7), ([], 30)])
def test_nobody_sets_an_expiry_later_than_was_told(engine: Engine, shared: list[Entry], allowed: int) -> None:
    DatabaseApply(engine)(RUN, list(enumerate([LONG, told(30), *shared], 1)))
    with reading(engine) as session:
        (found,) = recorded(session, RecordingRow.id == "recording-1").values()
    assert found.told_days == allowed


def test_consent_that_is_told_again_does_not_lengthen_what_was_shortened(engine: Engine) -> None:
    apply = DatabaseApply(engine)
    apply(RUN, [(1, LONG), (2, told(14))])
    apply(RUN, [(3, told(14)), (4, LONG)])
    assert days_kept(engine) == 14


@pytest.mark.parametrize(("evidence", "days"), [([], 90), ([told(14)], 14), ([told(14, "refused")], 90)])
def test_recordings_of_before_get_their_expiry_by_the_migration(
    tmp_path: Path, evidence: list[Entry], days: int
) -> None:
    url = f"sqlite:///{tmp_path / 'pbx.sqlite'}"
    upgrade(url)
    engine = make_engine(url)
    DatabaseApply(engine)(RUN, list(enumerate([*evidence, LONG], 1)))
    with writing(engine) as session:
        session.execute(update(RecordingRow).values(expires_at=None))
    engine.dispose()
    downgrade(url, "0004")
    upgrade(url)
    engine = make_engine(url)
    assert days_kept(engine) == days
    engine.dispose()
