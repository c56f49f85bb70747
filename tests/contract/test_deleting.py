"""Recordings are deleted by hand: refused with the reason, gone at once, and mended after a crash at any step."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from handing_stage import COMPANY, NOON, OTHER, Stage
from sqlalchemy import select

from pbx_plugin.db.engine import make_engine, reading, writing
from pbx_plugin.db.models import AuditRow, DeletionRow, LegalHoldRow, MediaRow, MediaState, RecordingRow
from pbx_plugin.domain.entries import RecordingStored
from pbx_plugin.domain.handing import DeletionState, Obstacle
from pbx_plugin.services import deleting
from pbx_plugin.services.deleting import Doomed, EraseError
from pbx_plugin.services.directory import RefusedError
from pbx_plugin.storage.files import remove


@pytest.fixture
def stage(database_url: str, tmp_path: Path) -> Iterator[Stage]:
    engine = make_engine(database_url, busy_ms=10_000)
    yield Stage(engine, tmp_path)
    engine.dispose()


def audited(stage: Stage, recording: str) -> list[str]:
    with reading(stage.engine) as session:
        query = select(AuditRow.action).where(AuditRow.subject == recording).order_by(AuditRow.seq)
        return list(session.scalars(query))


def media_of(stage: Stage, recording: str) -> MediaRow:
    with reading(stage.engine) as session:
        row = session.get_one(RecordingRow, recording)
        return session.get_one(MediaRow, row.media_id)


def state_of(stage: Stage, recording: str) -> DeletionState | None:
    with reading(stage.engine) as session:
        row = session.get(DeletionRow, recording)
        return row.state if row else None


def delete(stage: Stage, *recordings: str, actor: str = "sofie@example.com", account: str = "a") -> deleting.Outcome:
    return deleting.delete(stage.deletions, stage.eraser, stage.desk(actor), recordings, account)


def test_a_deleted_recording_is_gone_with_its_files_and_its_tombstone_and_history_stay(stage: Stage) -> None:
    recording, kept = stage.record(spooled=True), stage.record()
    digest = stage.look(recording).sha256
    assert len(stage.files()) == 6
    assert delete(stage, recording).deleted == [recording]
    assert [name for name in stage.files() if stage.look(recording).media_id in name] == []
    assert len(stage.files()) == 2
    tomb = stage.look(recording)
    assert (tomb.state, tomb.path, tomb.deleted_at, tomb.playable) == ("deleted", "", NOON, False)
    assert (tomb.user_name, tomb.other, tomb.sha256) == ("Anna Ærø", "+4531200118", digest)
    assert stage.look(kept).playable
    assert audited(stage, recording) == ["deleted"]
    media = media_of(stage, recording)
    assert (media.state, media.path, media.peaks_path) == (MediaState.ERASED, "", "")
    assert state_of(stage, recording) is DeletionState.DONE


def test_what_may_not_be_deleted_is_told_with_its_reason_and_the_others_go(stage: Stage) -> None:
    protected = stage.record(deletable_by_hand=False)
    going_on = stage.record(ended=False)
    held, plain, foreign = stage.record(), stage.record(), stage.record(tenant=OTHER)
    with writing(stage.engine) as session:
        values: dict[str, Any] = {"reason": "court", "at": NOON, "by": "Sofie", "released_by": ""}
        session.add(LegalHoldRow(id="hold", tenant_id=COMPANY.id, recording_id=held, **values))
    before = stage.files()
    outcome = delete(stage, protected, going_on, held, foreign, "nobody", plain)
    assert outcome.deleted == [plain]
    assert {key: why.partition(": ")[2] for key, why in outcome.refused.items()} == {
        protected: Obstacle.PROTECTED,
        going_on: Obstacle.GOING_ON,
        held: Obstacle.HELD,
        foreign: "",
        "nobody": "",
    }
    assert len(stage.files()) == len(before) - 2
    assert stage.look(foreign, OTHER).playable
    assert "deleted already" in delete(stage, plain).refused[plain]
    stage.rules(deleting=False)
    again = stage.record()
    assert Obstacle.FORBIDDEN in delete(stage, again).refused[again]


def test_a_second_person_must_be_another(stage: Stage) -> None:
    stage.rules(second_person=True)
    first, second = stage.record(), stage.record()
    outcome = delete(stage, first, second, account="sofie")
    assert (outcome.asked, outcome.deleted) == ([first, second], [])
    assert stage.look(first).playable
    assert {asked.recording_id for asked in stage.deletions.waiting(COMPANY.id)} == {first, second}
    same = deleting.confirm(stage.deletions, stage.eraser, stage.desk(), [first], "sofie")
    assert "you asked for it" in same.refused[first]
    assert stage.look(first).playable
    other = deleting.confirm(stage.deletions, stage.eraser, stage.desk("bo@example.com"), [first], "bo")
    assert other.deleted == [first]
    assert stage.look(first).deleted_at == NOON
    assert deleting.take_back(stage.deletions, stage.desk("bo@example.com"), [second]).asked == [second]
    assert audited(stage, first) == ["deletion asked", "deleted"]
    assert audited(stage, second) == ["deletion asked", "deletion refused"]
    assert stage.deletions.waiting(COMPANY.id) == []
    assert "nobody has asked" in deleting.take_back(stage.deletions, stage.desk(), [first]).refused[first]
    # Asked for before a hold came: the hold wins.
    delete(stage, second, account="sofie")
    with writing(stage.engine) as session:
        values: dict[str, Any] = {"reason": "court", "at": NOON, "by": "Sofie", "released_by": ""}
        session.add(LegalHoldRow(id="hold", tenant_id=COMPANY.id, recording_id=second, **values))
    late = deleting.confirm(stage.deletions, stage.eraser, stage.desk("bo@example.com"), [second], "bo")
    assert Obstacle.HELD in late.refused[second]
    assert stage.look(second).playable


def test_another_companys_second_person_confirms_nothing(stage: Stage) -> None:
    stage.rules(second_person=True)
    recording = stage.record()
    delete(stage, recording, account="sofie")
    foreign = stage.desk("eve@example.com", OTHER)
    assert deleting.confirm(stage.deletions, stage.eraser, foreign, [recording], "eve").deleted == []
    assert deleting.take_back(stage.deletions, foreign, [recording]).asked == []
    assert stage.look(recording).playable


def test_sound_that_two_users_share_goes_with_the_last_of_them(stage: Stage) -> None:
    first = stage.record()
    second = stage.record(media=stage.look(first).media_id, user_id="user-2", user_name="Bo", extension="102")
    delete(stage, first)
    assert not stage.look(first).playable
    assert stage.look(second).playable
    assert len(stage.files()) == 2
    delete(stage, second)
    assert stage.files() == []
    assert media_of(stage, second).state is MediaState.ERASED


class Crash(BaseException):
    """The power goes."""


STEPS = ("intend", "confirmed", "last_on_media", "finish")


class Dying:
    """Does what the store does, and dies before or behind one of its steps."""

    def __init__(self, store: Any, step: str, *, behind: bool) -> None:
        self._store, self._step, self._behind = store, step, behind

    def __getattr__(self, name: str) -> Callable[..., Any]:
        deed = getattr(self._store, name)

        def done(*given: Any, **named: Any) -> Any:
            if name == self._step and not self._behind:
                raise Crash
            found = deed(*given, **named)
            if name == self._step:
                raise Crash
            return found

        return done


@pytest.mark.wide
@pytest.mark.parametrize("behind", [False, True], ids=["before", "behind"])
@pytest.mark.parametrize("step", STEPS)
def test_a_crash_at_any_step_is_mended_by_the_next_start(stage: Stage, step: str, behind: bool) -> None:
    recording, kept = stage.record(spooled=True), stage.record()
    store: Any = Dying(stage.deletions, step, behind=behind)
    with pytest.raises(Crash):
        deleting.delete(store, stage.eraser, stage.desk(), [recording])
    begun = state_of(stage, recording) is not None
    assert begun is ((step, behind) != ("intend", False))
    assert stage.look(recording).playable is not begun
    deleting.resume(stage.deletions, stage.eraser, stage.at)
    assert deleting.resume(stage.deletions, stage.eraser, stage.at) == 0
    left = [name for name in stage.files() if stage.look(recording).media_id in name]
    assert bool(left) is not begun
    assert media_of(stage, recording).state is (MediaState.ERASED if begun else MediaState.STORED)
    assert audited(stage, recording) == (["deleted"] if begun else [])
    assert stage.look(kept).playable


@pytest.mark.parametrize("after", range(4))
def test_a_crash_between_two_files_is_mended_too(stage: Stage, after: int, monkeypatch: pytest.MonkeyPatch) -> None:
    recording = stage.record(spooled=True)
    removed = [0]

    def dying(path: Path) -> bool:
        if removed[0] == after:
            raise Crash
        removed[0] += 1
        return remove(path)

    with monkeypatch.context() as patch:
        patch.setattr("pbx_plugin.storage.erase_deleted.remove", dying)
        with pytest.raises(Crash):
            delete(stage, recording)
    assert len(stage.files()) == 4 - after
    assert not stage.look(recording).playable
    assert deleting.resume(stage.deletions, stage.eraser, stage.at) == 1
    assert stage.files() == []


def test_a_disk_that_holds_on_to_one_file_keeps_no_other_and_nobody_hears_it(stage: Stage) -> None:
    first, second = stage.record(), stage.record()
    stuck = stage.look(first).media_id

    def erase(doomed: Doomed) -> None:
        if doomed.media_id == stuck:
            raise EraseError("the disk is read-only")
        stage.eraser(doomed)

    outcome = deleting.delete(stage.deletions, erase, stage.desk(), [first, second])
    assert outcome.deleted == [first, second]
    assert outcome.unfinished == {first: "the disk is read-only"}
    assert not stage.look(first).playable
    with pytest.raises(EraseError, match=first):
        deleting.resume(stage.deletions, erase, stage.at)
    assert deleting.resume(stage.deletions, stage.eraser, stage.at) == 1
    assert stage.files() == []


def test_of_many_who_delete_at_once_one_does_it(stage: Stage) -> None:
    recording = stage.record()
    outcomes: list[deleting.Outcome] = []

    def deletes(number: int) -> None:
        outcomes.append(delete(stage, recording, actor=f"person {number}"))

    threads = [threading.Thread(target=deletes, args=[number]) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(len(outcome.deleted) for outcome in outcomes) == 1
    assert sum(len(outcome.refused) for outcome in outcomes) == 3
    assert audited(stage, recording) == ["deleted"]


def test_what_the_journal_says_again_brings_nothing_back(stage: Stage) -> None:
    recording = stage.record()
    found = stage.look(recording)
    delete(stage, recording)
    stage.apply(
        RecordingStored(found.media_id, NOON, found.path, found.peaks_path, found.sha256, 9, 8000, 1, False, False)
    )
    assert not stage.look(recording).playable
    assert media_of(stage, recording).path == ""


def test_an_expiry_is_changed_within_what_was_told_and_protected_ones_only_later(stage: Stage) -> None:
    desk, change = stage.desk(), stage.deletions.change_expiry
    told, protected, plain = stage.record(keep_days=30), stage.record(deletable_by_hand=False), stage.record()
    start = stage.look(plain).at
    assert change(desk, plain, start + timedelta(days=200)).expires_at == start + timedelta(days=200)
    assert change(desk, plain, NOON.replace(hour=0) + timedelta(days=1)).expires_at == NOON.replace(hour=0) + timedelta(
        1
    )
    for recording, wanted, why in (
        (told, start + timedelta(days=30, seconds=1), "told 30 days"),
        (plain, NOON.replace(hour=0) + timedelta(days=1, seconds=-1), "too early"),
        (plain, start + timedelta(days=366), "longer than a year"),
        (protected, start + timedelta(days=6), "only be kept longer"),
        ("nobody", start, "no recording"),
    ):
        with pytest.raises(RefusedError, match=why):
            change(desk, recording, wanted)
    assert change(desk, told, start + timedelta(days=30)).expires_at == start + timedelta(days=30)
    assert change(desk, protected, start + timedelta(days=8)).expires_at == start + timedelta(days=8)
    assert audited(stage, plain) == ["expiry changed"] * 2
    change(desk, protected, start + timedelta(days=8))
    assert audited(stage, protected) == ["expiry changed"]
    with pytest.raises(RefusedError, match="no recording"):
        change(stage.desk(tenant=OTHER), plain, start + timedelta(days=9))
    delete(stage, plain)
    with pytest.raises(RefusedError, match="deleted already"):
        change(desk, plain, start + timedelta(days=9))


def test_links_to_a_deleted_recording_are_dead(stage: Stage) -> None:
    recording = stage.record()
    link = stage.share(recording)
    delete(stage, recording)
    found = stage.links.find(link.token_sha256)
    assert found is not None
    assert not found.alive(NOON)
    assert replace(found, revoked_at=None).alive(NOON)
