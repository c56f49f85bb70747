"""The journal keeps every entry that it took, in order, whatever happens to the database, the disk or the process."""

from __future__ import annotations

import errno
import json
import os
import signal
import sqlite3
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from call_entries import consent_taken, moved, whole_call
from pytest_mock import MockerFixture
from sqlalchemy import select

from pbx_plugin.db.apply import DatabaseApply
from pbx_plugin.db.engine import make_engine, reading
from pbx_plugin.db.models import ConsentRow, JournalMarkRow, PartyEventRow
from pbx_plugin.domain.entries import Entry, LegMoved
from pbx_plugin.services.ports import JournalError, StoreUnavailableError
from pbx_plugin.storage.journal import FileJournal, drain_orphans

PATIENCE = 20.0


class Ledger:
    """An apply that remembers, and can be away or choke on an entry."""

    def __init__(self) -> None:
        self.told: list[tuple[str, int, Entry]] = []
        self.batches: list[int] = []
        self.away = threading.Event()
        self.attempts = 0
        self.poison: set[str] = set()

    def __call__(self, run: str, batch: Sequence[tuple[int, Entry]], /) -> None:
        self.attempts += 1
        if self.away.is_set():
            raise StoreUnavailableError("away")
        if any(isinstance(entry, LegMoved) and entry.detail in self.poison for _, entry in batch):
            raise ValueError("cannot be stored")
        self.batches.append(len(batch))
        self.told += [(run, position, entry) for position, entry in batch]

    @property
    def details(self) -> list[str]:
        return [entry.detail for _, _, entry in self.told if isinstance(entry, LegMoved)]

    def wait_for_attempts(self, more: int) -> None:
        until = self.attempts + more
        wait_until(lambda: self.attempts >= until)


def wait_until(fact: Callable[[], bool]) -> None:
    give_up = time.monotonic() + PATIENCE
    while not fact():
        assert time.monotonic() < give_up, "it does not come true"
        time.sleep(0.005)


def steps(*numbers: int) -> list[str]:
    return [f"step {number}" for number in numbers]


def segments(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.journal"))


def rejected(folder: Path, name: str = "recorder") -> list[dict[str, Any]]:
    path = folder / f"{name}.rejected"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "journal"


@pytest.fixture
def ledger() -> Ledger:
    return Ledger()


@contextmanager
def opened(folder: Path, apply: Any, **options: Any) -> Iterator[FileJournal]:
    journal = FileJournal(folder, "recorder", apply, **options)
    try:
        yield journal
    finally:
        journal.close(timeout=PATIENCE)


def test_entries_are_applied_in_order_and_their_segment_goes(folder: Path, ledger: Ledger) -> None:
    with opened(folder, ledger) as journal:
        assert journal.append(*whole_call()) == len(whole_call())
        assert journal.append(moved(1)) == len(whole_call()) + 1
        assert journal.wait_applied(len(whole_call()) + 1, PATIENCE)
        assert journal.backlog() == 0
    assert [entry for _, _, entry in ledger.told] == [*whole_call(), moved(1)]
    assert [position for _, position, _ in ledger.told] == list(range(1, len(whole_call()) + 2))
    assert segments(folder) == []


def test_nothing_of_it_is_for_others_to_read(folder: Path, ledger: Ledger) -> None:
    ledger.poison = {"step 1"}
    with opened(folder, ledger) as journal:
        assert journal.wait_applied(journal.append(moved(1)), PATIENCE)
        modes = {path.suffix: stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()}
        assert set(modes) == {".journal", ".lock", ".rejected"}
        assert not any(mode & 0o027 for mode in modes.values())
        assert stat.S_IMODE(folder.stat().st_mode) & 0o027 == 0


def test_appending_goes_on_while_the_database_is_locked(folder: Path, sqlite_file: Path) -> None:
    engine = make_engine(f"sqlite:///{sqlite_file}", busy_ms=50)
    attempts = Ledger()
    apply = DatabaseApply(engine)

    def counted(run: str, batch: Sequence[tuple[int, Entry]], /) -> None:
        attempts.attempts += 1
        apply(run, batch)

    with opened(folder, counted) as journal, closing(sqlite3.connect(sqlite_file, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        for number in range(200):
            last = journal.append(moved(number, at=0))
        # Every append has returned, and nobody else could have written yet.
        assert other.in_transaction
        attempts.wait_for_attempts(3)
        assert journal.backlog() == 200
        assert not journal.wait_applied(1, 0.05)
        other.execute("ROLLBACK")
        assert journal.wait_applied(last, PATIENCE)
    with reading(engine) as session:
        found = session.scalars(select(PartyEventRow.detail).order_by(PartyEventRow.seq)).all()
    engine.dispose()
    assert found == steps(*range(200))


def test_what_came_while_the_database_was_away_is_applied_later_in_order(folder: Path, ledger: Ledger) -> None:
    ledger.away.set()
    with opened(folder, ledger) as journal:
        for number in range(10):
            journal.append(moved(number))
        ledger.wait_for_attempts(2)
        journal.append(moved(10))
        ledger.away.clear()
        assert journal.wait_applied(11, PATIENCE)
    assert ledger.details == steps(*range(11))


def test_what_was_not_applied_when_it_closed_is_applied_by_the_next_run(folder: Path, ledger: Ledger) -> None:
    ledger.away.set()
    journal = FileJournal(folder, "recorder", ledger)
    journal.append(moved(1), moved(2))
    assert journal.close(timeout=0.05) is False
    assert journal.close(timeout=0.05) is False, "closing again is harmless"
    ledger.away.clear()
    with opened(folder, ledger) as journal:
        assert journal.append(moved(3)) == 3
        assert journal.wait_applied(3, PATIENCE)
    assert ledger.details == steps(1, 2, 3)
    runs = [run for run, _, _ in ledger.told]
    assert runs[0] == runs[1] != runs[2]
    assert all(run.startswith("recorder:") for run in runs)


def test_a_closed_journal_takes_nothing_more(folder: Path, ledger: Ledger) -> None:
    with opened(folder, ledger) as journal:
        journal.append(moved(1))
    with pytest.raises(JournalError, match="closed"):
        journal.append(moved(2))
    assert ledger.details == steps(1)


def test_there_is_one_writer_only(folder: Path, ledger: Ledger) -> None:
    with opened(folder, ledger) as journal:
        with pytest.raises(JournalError, match="another writer"):
            FileJournal(folder, "recorder", ledger, lock_patience=0.05)
        FileJournal(folder, "agi", ledger).close()
        journal.append(moved(1))
    with opened(folder, ledger) as journal:
        journal.append(moved(2))
    assert ledger.details == steps(1, 2)


@pytest.mark.parametrize("name", ["", "../x", "a/b", "a.b", "x" * 81, "rec order"])
def test_a_name_that_is_no_file_name_is_refused(folder: Path, ledger: Ledger, name: str) -> None:
    with pytest.raises(JournalError, match="cannot be called"):
        FileJournal(folder, name, ledger)


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path, ledger: Ledger) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(JournalError, match="cannot be opened"):
        FileJournal(tmp_path / "file" / "journal", "recorder", ledger)


def test_an_entry_that_is_not_json_is_refused_whole(folder: Path, ledger: Ledger) -> None:
    with opened(folder, ledger) as journal:
        with pytest.raises(JournalError, match="time zone"):
            journal.append(moved(1), replace(moved(2), at=moved(2).at.replace(tzinfo=None)))
        assert journal.append(moved(3)) == 1
    assert ledger.details == steps(3)


@pytest.mark.parametrize("cut", [1, 2, 9, 40, 100])
def test_a_torn_last_line_is_left_out_and_the_rest_kept(folder: Path, ledger: Ledger, cut: int) -> None:
    with closing(FileJournal(folder, "recorder", None)) as journal:
        journal.append(moved(1), moved(2), moved(3))
    (path,) = segments(folder)
    os.truncate(path, path.stat().st_size - cut)
    with opened(folder, ledger) as journal:
        assert journal.wait_applied(journal.append(moved(4)), PATIENCE)
    assert ledger.details == steps(1, 2, 4)
    assert rejected(folder) == []


def test_after_a_cut_a_position_that_comes_again_is_not_taken_for_the_old_one(folder: Path, sqlite_file: Path) -> None:
    engine = make_engine(f"sqlite:///{sqlite_file}")
    apply = DatabaseApply(engine)
    with closing(FileJournal(folder, "recorder", None)) as journal:
        journal.append(moved(1), moved(2))
    (path,) = segments(folder)
    whole = path.read_bytes()
    drain_orphans(folder, apply)
    path.write_bytes(whole[:-5])
    with opened(folder, apply) as journal:
        assert journal.append(moved(3)) == 2
    with reading(engine) as session:
        found = session.scalars(select(PartyEventRow.detail).order_by(PartyEventRow.seq)).all()
    engine.dispose()
    assert found == steps(1, 2, 3)


def test_a_damaged_line_is_set_aside_and_the_rest_goes_on(folder: Path, ledger: Ledger) -> None:
    with closing(FileJournal(folder, "recorder", None)) as journal:
        journal.append(moved(1), moved(2), moved(3))
    (path,) = segments(folder)
    path.write_bytes(path.read_bytes().replace(b"step 2", b"step 9"))
    with opened(folder, ledger) as journal:
        assert journal.wait_applied(3, PATIENCE)
    assert ledger.details == steps(1, 3)
    (line,) = rejected(folder)
    assert "damaged" in line["reason"]
    assert "step 9" in line["line"]


def test_a_file_that_is_no_segment_is_not_passed_over_in_silence(folder: Path, ledger: Ledger) -> None:
    folder.mkdir()
    (folder / "recorder.00000000000000000001.journal").write_bytes(b"\x00" * 100)
    with pytest.raises(JournalError, match="not a journal segment"):
        FileJournal(folder, "recorder", ledger)


def test_an_entry_that_can_never_be_stored_blocks_nobody(folder: Path, ledger: Ledger) -> None:
    ledger.poison = {"step 2", "step 5"}
    ledger.away.set()
    with opened(folder, ledger) as journal:
        journal.append(*map(moved, range(1, 6)))
        ledger.wait_for_attempts(1)
        ledger.away.clear()
        assert journal.wait_applied(5, PATIENCE)
        assert journal.wait_applied(journal.append(moved(6)), PATIENCE)
    assert ledger.details == steps(1, 3, 4, 6)
    assert [(line["position"], line["reason"]) for line in rejected(folder)] == [
        (2, "ValueError: cannot be stored"),
        (5, "ValueError: cannot be stored"),
    ]
    assert "step 2" in rejected(folder)[0]["line"]


def test_what_was_set_aside_is_not_set_aside_again_by_the_next_run(folder: Path, ledger: Ledger) -> None:
    ledger.poison = {"step 1"}
    journal = FileJournal(folder, "recorder", ledger)
    assert journal.wait_applied(journal.append(moved(1)), PATIENCE)
    ledger.away.set()
    journal.append(moved(2))
    assert journal.close(timeout=0.01) is False
    ledger.away.clear()
    with opened(folder, ledger):
        pass
    assert ledger.details == steps(2)
    assert len(rejected(folder)) == 1


def test_threads_keep_their_own_order(folder: Path, ledger: Ledger) -> None:
    returned: dict[int, list[int]] = {number: [] for number in range(8)}
    with opened(folder, ledger, segment_bytes=3000) as journal:

        def write(thread: int) -> None:
            for number in range(40):
                returned[thread].append(journal.append(moved(1000 * thread + number)))

        run_together(*(partial(write, thread) for thread in returned))
        assert journal.wait_applied(320, PATIENCE)
    positions = {entry.detail: position for _, position, entry in ledger.told if isinstance(entry, LegMoved)}
    assert [position for _, position, _ in ledger.told] == list(range(1, 321))
    for thread, order in returned.items():
        assert [positions[f"step {1000 * thread + number}"] for number in range(40)] == order == sorted(order)


def test_threads_that_wait_for_the_disk_share_the_next_sync(
    folder: Path, ledger: Ledger, mocker: MockerFixture
) -> None:
    all_wrote, second_began, second_may_end = threading.Event(), threading.Event(), threading.Event()

    def slow_disk(_descriptor: int) -> None:
        if all_wrote.is_set():
            second_began.set()
            assert second_may_end.wait(PATIENCE)
        else:
            assert all_wrote.wait(PATIENCE)

    def watch() -> None:
        wait_until(lambda: b"".join(path.read_bytes() for path in segments(folder)).count(b"step") == 8)
        assert ledger.told == [], "nothing is applied before it is on disk"
        all_wrote.set()
        assert second_began.wait(PATIENCE)
        wait_until(lambda: len(ledger.told) > 0)
        assert len(ledger.told) < 8, "nor what only the second sync brings there"
        second_may_end.set()

    sync = mocker.patch("os.fdatasync", side_effect=slow_disk)
    with opened(folder, ledger) as journal:
        run_together(watch, *(partial(journal.append, moved(number)) for number in range(8)))
        assert second_may_end.is_set()
        assert journal.wait_applied(8, PATIENCE)
    assert sync.call_count == 2


def run_together(*works: Callable[[], object]) -> None:
    threads = [threading.Thread(target=work) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def test_full_segments_give_way_to_new_ones_and_go_when_applied(folder: Path, ledger: Ledger) -> None:
    ledger.away.set()
    with opened(folder, ledger, segment_bytes=1000) as journal:
        for number in range(30):
            journal.append(moved(number))
        assert len(segments(folder)) > 4
        ledger.away.clear()
        assert journal.wait_applied(30, PATIENCE)
        assert len(segments(folder)) <= 1
    assert ledger.details == steps(*range(30))


def test_a_full_disk_is_told_and_what_comes_after_it_is_kept(
    folder: Path, ledger: Ledger, mocker: MockerFixture
) -> None:
    real = os.write

    def half(descriptor: int, data: Any) -> int:
        if len(data) > 20:
            return real(descriptor, data[:20])
        raise OSError(errno.ENOSPC, "No space left on device")

    with opened(folder, ledger) as journal:
        assert journal.append(moved(1)) == 1
        full = mocker.patch("os.write", side_effect=half)
        with pytest.raises(JournalError, match="No space"):
            journal.append(moved(2))
        mocker.stop(full)
        assert journal.append(moved(3)) == 2
        assert journal.wait_applied(2, PATIENCE)
    assert ledger.details == steps(1, 3)
    assert rejected(folder) == []


def test_a_disk_that_breaks_in_the_first_line_of_a_segment_does_not_spoil_the_next(
    folder: Path, ledger: Ledger, mocker: MockerFixture
) -> None:
    real = os.write

    def fail_in_entries(descriptor: int, data: Any) -> int:
        if b"step" in bytes(data):
            raise OSError(errno.EIO, "Input/output error")
        return real(descriptor, data)

    ledger.away.set()
    with opened(folder, ledger) as journal:
        broken = [
            mocker.patch("os.write", side_effect=fail_in_entries),
            mocker.patch("os.ftruncate", side_effect=OSError(errno.EIO, "Input/output error")),
        ]
        with pytest.raises(JournalError, match="Input/output"):
            journal.append(moved(1))
        for patch in broken:
            mocker.stop(patch)
        position = journal.append(moved(2))
        ledger.away.clear()
        assert journal.wait_applied(position, PATIENCE)
        assert journal.wait_applied(journal.append(moved(3)), PATIENCE)
        assert len(segments(folder)) == 1, "what is being written is still there"
    assert ledger.details == steps(2, 3)


@pytest.mark.parametrize("truncate_fails", [False, True])
def test_what_could_not_be_synced_does_not_count(
    folder: Path, ledger: Ledger, mocker: MockerFixture, truncate_fails: bool
) -> None:
    with opened(folder, ledger) as journal:
        journal.append(moved(1))
        broken = [mocker.patch("os.fdatasync", side_effect=OSError(errno.EIO, "Input/output error"))]
        if truncate_fails:
            broken.append(mocker.patch("os.ftruncate", side_effect=OSError(errno.EIO, "Input/output error")))
        with pytest.raises(JournalError, match="durable"):
            journal.append(moved(2))
        for patch in broken:
            mocker.stop(patch)
        position = journal.append(moved(3))
        assert position > 1
        assert journal.wait_applied(position, PATIENCE)
        assert journal.backlog() == 0
    assert ledger.details == steps(1, 3)


@pytest.mark.wide
def test_a_writer_that_is_killed_loses_nothing_that_it_was_told_is_safe(folder: Path, sqlite_file: Path) -> None:
    url = f"sqlite:///{sqlite_file}"
    safe: list[int] = []
    for round_number in range(3):
        safe += _journal_until_killed(folder, url, first=1_000_000 * round_number, after=90 + 40 * round_number)
    assert len(safe) > 300
    engine = make_engine(url)
    with opened(folder, DatabaseApply(engine)):
        pass
    assert segments(folder) == []
    with reading(engine) as session:
        found = session.scalars(select(PartyEventRow.detail).order_by(PartyEventRow.seq)).all()
    engine.dispose()
    numbers = [int(detail.removeprefix("step ")) for detail in found]
    assert len(set(numbers)) == len(numbers), "nothing twice"
    assert set(safe) <= set(numbers), "nothing lost"
    for thread in range(3):
        for start in range(0, 3_000_000, 1_000_000):
            own = [n for n in numbers if start <= n < start + 1_000_000 and (n - start) % 3 == thread]
            assert own == sorted(own), "in order"
    assert rejected(folder) == []


def _journal_until_killed(folder: Path, url: str, *, first: int, after: int) -> list[int]:
    script = Path(__file__).with_name("journal_writer_process.py")
    writer = subprocess.Popen(
        [sys.executable, str(script), str(folder), url, str(first)], stdout=subprocess.PIPE, text=True
    )
    assert writer.stdout is not None
    with writer:
        lines = [writer.stdout.readline() for _ in range(after)]
        writer.send_signal(signal.SIGKILL)
        lines += writer.stdout.readlines()
    assert writer.returncode == -signal.SIGKILL
    return [int(line) for line in lines if line.endswith("\n")]


def test_journals_of_dead_writers_are_applied_and_removed(folder: Path, sqlite_file: Path) -> None:
    engine = make_engine(f"sqlite:///{sqlite_file}")
    apply = DatabaseApply(engine)
    for number in range(3):
        with closing(FileJournal(folder, f"agi-{number}", None)) as journal:
            position = journal.append(consent_taken(f"evidence-{number}"))
            assert not journal.wait_applied(position, 5), "nobody applies it here"
    with closing(FileJournal(folder, "agi-alive", None)) as alive:
        alive.append(consent_taken("evidence-alive"))
        assert drain_orphans(folder, apply, apply.forget) == 3
        assert sorted(path.name.partition(".")[0] for path in folder.iterdir()) == ["agi-alive", "agi-alive"]
    assert drain_orphans(folder, apply, apply.forget) == 1
    assert list(folder.iterdir()) == []
    with reading(engine) as session:
        assert session.scalars(select(JournalMarkRow.journal)).all() == [], "forgotten, for they never come again"
        found = session.scalars(select(ConsentRow.id).order_by(ConsentRow.id)).all()
        assert found == ["evidence-0", "evidence-1", "evidence-2", "evidence-alive"]
    engine.dispose()


def test_orphans_stay_while_the_database_is_away(folder: Path, ledger: Ledger) -> None:
    with closing(FileJournal(folder, "agi-1", None)) as journal:
        journal.append(moved(1))
    ledger.away.set()
    with pytest.raises(StoreUnavailableError):
        drain_orphans(folder, ledger)
    ledger.away.clear()
    assert drain_orphans(folder, ledger) == 1
    assert drain_orphans(folder, ledger) == 0
    assert ledger.details == steps(1)


def test_there_are_no_orphans_where_there_is_no_folder(folder: Path, ledger: Ledger) -> None:
    assert drain_orphans(folder, ledger) == 0
    assert not folder.exists()
