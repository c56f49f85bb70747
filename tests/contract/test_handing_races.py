"""Many at once: listeners at the limit, one-time links, exports, revoking, on every database."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from handing_stage import COMPANY, OTHER, Stage

from pbx_plugin.db.engine import make_engine
from pbx_plugin.db.exports import DatabaseExports
from pbx_plugin.db.listeners import DatabaseListeners
from pbx_plugin.services.directory import RefusedError
from pbx_plugin.services.exporting import MOST_RECORDINGS
from pbx_plugin.services.listeners import LEASE, LONGEST_LEASE, TooManyListenersError, sound_of
from pbx_plugin.services.sharing import LinkWish, OpeningKind

pytestmark = pytest.mark.wide

CROWD = 6
NOTHING = timedelta()


@pytest.fixture
def stage(database_url: str, tmp_path: Path) -> Iterator[Stage]:
    engine = make_engine(database_url, busy_ms=20_000)
    yield Stage(engine, tmp_path)
    engine.dispose()


def at_once(deed: Callable[[int], object]) -> list[object]:
    """What came of it when many did it in the same moment; a refusal counts as what it says."""
    results: list[object] = []
    ready = threading.Barrier(CROWD)

    def one(number: int) -> None:
        ready.wait()
        try:
            results.append(deed(number))
        except (TooManyListenersError, RefusedError) as error:
            results.append(type(error))

    threads = [threading.Thread(target=one, args=[number]) for number in range(CROWD)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == CROWD
    return results


def test_the_last_places_are_given_once(stage: Stage) -> None:
    stage.rules(listeners_most=2)
    listeners = DatabaseListeners(stage.engine)
    came = at_once(lambda n: listeners.listen(COMPANY.id, f"account:{n}", f"Person {n}", "r", stage.at, NOTHING))
    assert came.count(None) == 2
    assert came.count(TooManyListenersError) == CROWD - 2
    assert len(listeners.listening(COMPANY.id, stage.at)) == 2


def test_who_listens_goes_on_and_who_has_stopped_makes_room(stage: Stage) -> None:
    stage.rules(listeners_most=1)
    listeners, at = DatabaseListeners(stage.engine), stage.at

    def listen(who: str, at_: object = None, sound: timedelta = NOTHING, company: str = COMPANY.id) -> None:
        listeners.listen(company, who, who, "r", at if at_ is None else at_, sound)  # type: ignore[arg-type]

    listen("account:a")
    for _ in range(3):
        listen("account:a")
    with pytest.raises(TooManyListenersError, match=r"1 of 1 listen already: account:a \(since 12:00 UTC\)") as full:
        listen("account:b")
    assert full.value.free_at == at + LEASE
    listen("account:b", company=OTHER.id)
    listen("account:a", at + LEASE * 0.9)
    with pytest.raises(TooManyListenersError):
        listen("account:b", at + LEASE * 1.5)
    listen("account:b", at + LEASE * 2)
    listeners.stop(COMPANY.id, "account:b")
    listen("account:a", at + LEASE * 2, timedelta(hours=2))
    (one,) = listeners.listening(COMPANY.id, at + LEASE * 2)
    assert one.until == at + LEASE * 2 + LONGEST_LEASE
    stage.rules(listeners_most=0)
    for who in "cdef":
        listen(f"account:{who}", at + LEASE * 2)
    assert sound_of(32_000, 8000) == timedelta(seconds=1)


def test_a_one_time_link_is_claimed_once(stage: Stage) -> None:
    link = stage.share(stage.record(), LinkWish("a@b.example", one_time=True))
    desk = stage.desk()
    assert at_once(lambda n: stage.links.claim(desk, link, f"10.0.0.{n}", f"claim {n}")).count(True) == 1
    (opening,) = stage.links.openings(COMPANY.id, link.id)
    assert opening.what is OpeningKind.PAGE
    found = stage.links.find(link.token_sha256)
    assert found is not None
    winner = [n for n in range(CROWD) if found.opens_for(f"claim {n}", stage.at)]
    assert [f"10.0.0.{n}" for n in winner] == [opening.address]
    assert not found.opens_for("", stage.at)
    assert not found.opens_for(f"claim {winner[0]}", stage.at + timedelta(hours=1))


def test_a_revoked_link_is_opened_by_nobody_and_its_mail_is_taken_back(stage: Stage) -> None:
    recording = stage.record()
    link = stage.share(recording)
    at_once(lambda _: stage.links.revoke(stage.desk(), link.id))
    assert not stage.links.open(stage.desk(), link, "10.0.0.1", OpeningKind.PAGE)
    (shown,) = stage.links.of_recording(COMPANY.id, recording)
    assert (shown.revoked_at, shown.openings, shown.alive(stage.at)) == (stage.at, 0, False)
    with pytest.raises(RefusedError, match="no link"):
        stage.links.revoke(stage.desk(tenant=OTHER), link.id)


def test_a_link_never_outlives_its_recording(stage: Stage) -> None:
    recording = stage.record()
    soon = stage.at.replace(hour=0) + timedelta(days=1)
    stage.deletions.change_expiry(stage.desk(), recording, soon)
    assert stage.share(recording).expires_at == soon


def test_an_export_begins_once_and_has_its_limits(stage: Stage) -> None:
    exports, desk = DatabaseExports(stage.engine), stage.desk()
    export = exports.ask(desk, "anna", [stage.record()])
    assert at_once(lambda _: exports.start(export)).count(True) == 1
    assert exports.find(COMPANY.id, "bo", export.id) is None
    assert exports.find(OTHER.id, "anna", export.id) is None
    for wrong in ([], [str(number) for number in range(MOST_RECORDINGS + 1)]):
        with pytest.raises(RefusedError):
            exports.ask(desk, "anna", wrong)
