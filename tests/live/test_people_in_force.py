"""Who is enrolled by a file while calls go on is recorded on the next call begun five seconds later; undone, never."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from stage import Stage, hang_up, talk

from pbx_plugin.db.views import CallDetail
from pbx_plugin.sandbox.site_people import ddi_of

USER = "229"
IN_FORCE_S = 5.0
"""What is promised: a change counts for calls that begin this much later."""


def command(stage: Stage, *words: str) -> dict[str, Any]:
    """Type a command on the running site, as an administrator does."""
    program = [sys.executable, "-m", "pbx_plugin.cli.main", "--config", str(stage.site.config_path), *words, "--json"]
    done = subprocess.run(program, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout))


def call(stage: Stage, name: str) -> CallDetail:
    stage.phone(USER)
    caller = stage.outside(name)
    leg = caller.dial(ddi_of(USER))
    leg.wait("CONFIRMED")
    if stage.decided(caller.config.caller, USER).verdict == "record":
        stage.recording_now(caller.config.caller)
    talk(3.0)
    hang_up(leg)
    return stage.settled(caller.config.caller)


def test_a_user_enrolled_by_a_file_is_recorded_and_when_taken_back_never_again(stage: Stage, tmp_path: Path) -> None:
    file = tmp_path / "users.csv"
    before = call(stage, "before")
    assert before.recordings == ()
    assert before.decisions[-1].rule == 5

    file.write_text(f"extension,enrolled,mode\n{USER},yes,always\n", encoding="utf-8")
    diff = command(stage, "users", "import", str(file))
    assert [change["after"] for change in diff["changes"]] == [{"enrolled": "yes"}]
    try:
        talk(IN_FORCE_S)
        during = call(stage, "during")
        (recording,) = during.recordings
        stage.assert_sides(recording, USER, "during")
    finally:
        command(stage, "imports", "undo", "last")
    talk(IN_FORCE_S)
    after = call(stage, "after")
    assert after.recordings == ()
    assert after.decisions[-1].rule == 5
    stage.assert_nowhere("before", "after")
