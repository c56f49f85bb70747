"""A recorder that still waits for its database stops when told to, as quietly as any other.

The file is also the recorder: ``python test_recorder_stops.py FOLDER`` runs one whose database is not there.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from pbx_plugin.ari_app import runner
from pbx_plugin.domain.entries import LegMoved
from pbx_plugin.services.ports import JournalError
from pbx_plugin.settings import Settings
from pbx_plugin.storage.journal import FileJournal

SAID = LegMoved("call", "T1", datetime(2026, 11, 22, tzinfo=UTC), "joined")


@pytest.mark.wide
def test_a_recorder_told_to_stop_while_the_database_is_away_stops_in_order(tmp_path: Path) -> None:
    earlier = FileJournal(tmp_path / "journal", runner.JOURNAL_NAME, None)
    earlier.append(SAID)
    earlier.close(0)
    with subprocess.Popen(
        [sys.executable, __file__, str(tmp_path)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as recorder:
        assert recorder.stdout is not None
        said = ""
        while "waits for the database" not in said:
            line = recorder.stdout.readline()
            assert line, said
            said += line
        recorder.terminate()
        rest, _ = recorder.communicate(timeout=20)
    assert "Traceback" not in rest
    assert recorder.returncode == 0
    assert list((tmp_path / "journal").glob("*.journal")), "what was said before waits for the next start"


def test_a_recorder_told_to_stop_while_its_journal_is_being_opened_stops_in_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[FileJournal] = []

    def open_and_be_told(settings: Settings, name: str, **how: bool) -> FileJournal:
        os.kill(os.getpid(), signal.SIGTERM)
        opened.append(FileJournal(settings.paths.journal, name, None))
        return opened[0]

    monkeypatch.setattr(runner, "build_journal", open_and_be_told)
    before = {number: signal.getsignal(number) for number in runner.SIGNALS}
    signal.signal(signal.SIGTERM, lambda *_: pytest.fail("nobody listens yet"))
    try:
        assert _run(str(tmp_path)) == 0
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    with pytest.raises(JournalError, match="closed"):
        opened[0].append(SAID)


def _run(folder: str) -> int:
    paths = {"state": folder, "archive": f"{folder}/archive", "spool": f"{folder}/spool"}
    return runner.run(Settings(database=f"sqlite:///{folder}/nowhere/db.sqlite", paths=paths))


if __name__ == "__main__":
    sys.exit(_run(sys.argv[1]))
