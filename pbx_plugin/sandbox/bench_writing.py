"""What a call's journal entries cost until the database holds them: encoding, syncing, reading back, applying."""

from __future__ import annotations

import shutil
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from pbx_plugin.db.apply import DatabaseApply
from pbx_plugin.db.engine import make_engine
from pbx_plugin.db.migrate import upgrade
from pbx_plugin.domain import entries as e
from pbx_plugin.domain.entries import Entry, Side
from pbx_plugin.sandbox.bench_figures import Result, Spread, Table, ranged
from pbx_plugin.sandbox.bench_site import BenchError
from pbx_plugin.storage.journal import FileJournal

Say = Callable[[str], None]

_NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
_TENANT = str(uuid.UUID(int=1))
_STATE = '{"what a recorder remembers of a call":"' + "0123456789" * 160 + '"}'
_TRACE = [{"rule": n, "name": "a rule", "matched": n == 10, "why": "because it is as it is"} for n in range(1, 11)]
_BUSY_EVERY_S = 0.08
_CATCH_UP_S = 60.0


def measure(folder: Path, calls: int, rounds: int, say: Say) -> Result:
    """Write calls into a database: as they come, each step alone, and many at once after an outage."""
    began = time.monotonic()
    alone, behind, busy = [], [], []
    entries = sum(len(step) for step in call(0))
    for turn in range(rounds):
        say(f"round {turn + 1} of {rounds}")
        alone.append(_applied(folder / f"alone-{turn}", [step for n in range(calls) for step in call(n)]) / calls)
        batches = list(_batched([entry for n in range(calls) for step in call(n) for entry in step], 200))
        behind.append(_applied(folder / f"behind-{turn}", batches) / calls)
        busy.append(_journalled(folder / f"busy-{turn}", calls) / calls)
    figures = {"alone": alone, "behind": behind, "busy": busy}
    rows = (
        ("applied alone, one transaction for each step of a call", ranged(Spread.of(alone))),
        ("applied 200 entries at a time, after an outage", ranged(Spread.of(behind))),
        (f"through the journal, {1 / _BUSY_EVERY_S:g} calls a second", ranged(Spread.of(busy))),
    )
    return Result(
        name="writing",
        title="Writing down",
        method=(
            f"CPU time of a recorded call's {entries} journal entries (the recorder's memory of it included) in "
            f"{len(call(0))} steps, until an SQLite database holds them. The last row has all of it: encoding, "
            "appending, syncing, reading back and applying, by the journal's own thread, while calls come and go."
        ),
        runs=f"{calls} calls, {rounds} rounds.",
        tables=(Table(("CPU ms a call", ""), rows),),
        figures={f"{name}: CPU ms a call": Spread.of(found).median for name, found in figures.items()},
        seconds=time.monotonic() - began,
    )


def call(n: int) -> list[list[Entry]]:
    """Return what the recorder writes of one announced outgoing call, one list an append, as it was seen to do."""
    ids = {name: str(uuid.uuid5(uuid.UUID(int=n), name)) for name in ("call", "media", "decision", "recording", "user")}
    user, outside = f"1795334146.{2 * n}", f"1795334146.{2 * n + 1}"
    at = _NOON + timedelta(seconds=n * _BUSY_EVERY_S)
    seconds = 0.0

    def step(*entries: Entry) -> list[Entry]:
        nonlocal seconds
        seconds += 0.5
        return [*entries, e.CallRemembered(ids["call"], at + timedelta(seconds=seconds), _STATE)]

    def moved(channel: str, what: str, detail: str = "") -> Entry:
        return e.LegMoved(ids["call"], channel, at + timedelta(seconds=seconds), what, detail)

    def seen(channel: str, name: str, user_id: str = "", number_raw: str = "") -> Entry:
        return e.LegSeen(ids["call"], channel, at, name, user_id, number_raw)

    spool = [f"pbxrec/2026/01/01/{ids['media']}-{side}" for side in ("in", "out")]
    decided = e.Decided(
        ids["decision"], ids["call"], ids["user"], at, "record", 10, "user in mode always", 1,
        facts={"direction": "outgoing", "others": [{"number": {"raw": "31200118", "e164": "+4531200118"}}]},
        trace=_TRACE, announce="announce or do not record",
    )  # fmt: skip
    intended = e.RecordingIntended(
        ids["recording"], ids["media"], ids["call"], _TENANT, ids["user"], ids["decision"], 1, at, outside, spool[0],
        spool[1], Side.RIGHT, Side.LEFT, "outgoing", "User 800", "800", "31200118", "+4531200118", rule=10,
    )  # fmt: skip
    stored = e.RecordingStored(ids["media"], at, "a/b.wav", "a/b.peaks", "ab" * 32, 64_044, 8000, 4000, False, False)
    return [
        step(
            e.CallBegan(ids["call"], _TENANT, user, at, 1, False, "outgoing", "800", "", "", "", "31200118"),
            seen(user, f"PJSIP/800-{n:08x}", user_id=ids["user"], number_raw="800"),
        ),
        step(seen(outside, f"PJSIP/trunk-{n:08x}")),
        step(seen(outside, f"PJSIP/trunk-{n:08x}", number_raw="31200118"), moved(outside, "ringing")),
        step(moved(outside, "dialled: ringing")),
        step(moved(outside, "dialled: answer")),
        step(moved(outside, "joined", "7f5c2a1e-8d0b-4a55-9a3c-6b1f6a0c9a11")),
        step(moved(user, "joined", "7f5c2a1e-8d0b-4a55-9a3c-6b1f6a0c9a11"), decided, moved(outside, "announcement")),
        step(moved(outside, "announcement", "heard"), intended),
        step(e.RecordingStarted(ids["media"], at, at, at)),
        step(moved(user, "left", "7f5c2a1e-8d0b-4a55-9a3c-6b1f6a0c9a11"), e.RecordingClosed(ids["media"], at, "left")),
        step(moved(outside, "left", "7f5c2a1e-8d0b-4a55-9a3c-6b1f6a0c9a11")),
        step(moved(outside, "gone")),
        step(moved(user, "gone")),
        [stored],
        [e.CallEnded(ids["call"], at + timedelta(seconds=seconds), "answered")],
    ]


def _applied(folder: Path, batches: list[list[Entry]]) -> float:
    """Return the CPU milliseconds that applying these batches takes."""
    with _database(folder) as apply:
        position, start = 0, time.process_time()
        for batch in batches:
            apply("bench:1", [(position + place, entry) for place, entry in enumerate(batch, 1)])
            position += len(batch)
        return (time.process_time() - start) * 1000


def _journalled(folder: Path, calls: int) -> float:
    """Return the CPU milliseconds of the whole way, calls overlapping at a pace that keeps a recorder busy."""
    with _database(folder) as apply:
        journal = FileJournal(folder / "journal", "bench", apply)
        stories = [call(n) for n in range(calls)]
        start, position = time.process_time(), 0
        for moment in range(calls + max(map(len, stories))):
            for n in range(max(0, moment - len(stories[0]) + 1), min(moment + 1, calls)):
                position = journal.append(*stories[n][moment - n])
            time.sleep(_BUSY_EVERY_S)
        held = journal.wait_applied(position, _CATCH_UP_S)
        used = (time.process_time() - start) * 1000
        if not (journal.close() and held):
            raise BenchError("the database does not keep up with the journal")
        return used


@contextmanager
def _database(folder: Path) -> Iterator[DatabaseApply]:
    """Make an empty database in a folder of its own, which goes again."""
    folder.mkdir(mode=0o750, parents=True)
    url = f"sqlite:///{folder / 'bench.sqlite'}"
    upgrade(url)
    engine = make_engine(url)
    try:
        yield DatabaseApply(engine)
    finally:
        engine.dispose()
        shutil.rmtree(folder)


def _batched(entries: list[Entry], size: int) -> Iterator[list[Entry]]:
    for first in range(0, len(entries), size):
        yield entries[first : first + size]
