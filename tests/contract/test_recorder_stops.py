"""A recorder that still waits for its database stops when told to, as quietly as any other.

The file is also the recorder: ``python test_recorder_stops.py FOLDER`` runs one whose database is not there.
"""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

from pbx_plugin.ari_app import runner
from pbx_plugin.domain.entries import LegMoved
from pbx_plugin.settings import Settings
from pbx_plugin.storage.journal import FileJournal


def test_a_recorder_told_to_stop_while_the_database_is_away_stops_in_order(tmp_path: Path) -> None:
    earlier = FileJournal(tmp_path / "journal", runner.JOURNAL_NAME, None)
    earlier.append(LegMoved("call", "T1", datetime(2026, 11, 22, tzinfo=UTC), "joined"))
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


def _run(folder: str) -> int:
    paths = {"state": folder, "archive": f"{folder}/archive", "spool": f"{folder}/spool"}
    return runner.run(Settings(database=f"sqlite:///{folder}/nowhere/db.sqlite", paths=paths))


if __name__ == "__main__":
    sys.exit(_run(sys.argv[1]))
