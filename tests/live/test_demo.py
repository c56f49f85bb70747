"""The demonstration, as a person starts it: in a folder of their own, looking at the terminal."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from left_over import assert_nothing_left, processes_in

from pbx_plugin.sandbox.demo_cast import CLARA, DAVID, ODA, RIKKE, ROSA, SARA
from pbx_plugin.sandbox.listening import heard_anywhere, read_audio
from pbx_plugin.sandbox.site_control import end_all, processes_of

COMMAND = [sys.executable, "-m", "pbx_plugin.sandbox.demo"]
TAKES_AT_MOST_S = 150.0
"""It is to take 90 s on a machine that has nothing else to do."""


class Running:
    """A demonstration under way."""

    def __init__(self, folder: Path, *words: str) -> None:
        self.folder = folder
        self.site = folder / ".sandbox" / "demo"
        self._out = folder / "out.txt"
        environment = {name: value for name, value in os.environ.items() if name != "KEEP"}
        with self._out.open("w") as out:
            self.process = subprocess.Popen(
                [*COMMAND, *words], cwd=folder, env=environment, stdout=out, stderr=out, start_new_session=True
            )

    @property
    def said(self) -> str:
        """What stood on the terminal so far."""
        return self._out.read_text()

    def wait_until_it_says(self, words: str, seconds: float = 60.0) -> None:
        until = time.monotonic() + seconds
        while words not in self.said:
            assert self.process.poll() is None, self.said
            assert time.monotonic() < until, self.said
            time.sleep(0.05)

    def ends(self, seconds: float = TAKES_AT_MOST_S) -> int:
        return self.process.wait(seconds)


@pytest.fixture
def demo(tmp_path: Path) -> Iterator[Running]:
    running = Running(tmp_path)
    yield running
    if running.process.poll() is None:
        running.process.kill()
        running.process.wait()
    end_all(running.site)


def test_a_person_sees_three_calls_what_was_decided_and_hears_who_was_recorded(demo: Running) -> None:
    assert demo.ends() == 0, demo.said
    said = demo.said
    assert "Traceback" not in said
    assert max(len(line) for line in said.splitlines()) <= 100
    for words in (
        "Call 1: Clara consents",
        "recording begins, both sides",
        "Rule 9 (group recorded with consent) decided",
        "given, key 1",
        "Rule 3 (consent refused or withdrawn) decided",
        "refused, key 2",
        "Rule 12 (user on demand) decided",
        "Press 1 if we may record the call.",
        "█",
    ):
        assert words in said, words
    assert len(re.findall(r"^│ ✓", said, re.MULTILINE)) == 12
    assert "✗" not in said

    told = re.findall(r"listen  (\S+)", said)
    assert told == [f".sandbox/demo/call-{name}.wav" for name in ("1-clara-part-1", "1-clara-part-2", "3-david-part-1")]
    for name, user, caller in zip(told, (RIKKE, RIKKE, ODA), (CLARA, CLARA, DAVID), strict=True):
        sound = demo.folder / name
        assert read_audio(sound).channels == 2
        assert {trace.channel for trace in heard_anywhere(sound, user.mark)} == {0}
        assert {trace.channel for trace in heard_anywhere(sound, caller.mark)} == {1}
    kept = (demo.site / "pbx" / "spool", demo.site / "archive", demo.site / "state")
    assert heard_anywhere(kept, ROSA.mark) == []
    assert heard_anywhere(kept, SARA.mark) == []
    assert_nothing_left(demo.folder, demo.site / "config.toml")


def test_ctrl_c_in_the_middle_of_a_call_leaves_no_process_and_no_port(demo: Running) -> None:
    demo.wait_until_it_says("recording begins, both sides")
    assert processes_in(demo.folder)
    os.killpg(demo.process.pid, signal.SIGINT)
    time.sleep(0.2)
    os.killpg(demo.process.pid, signal.SIGINT)  # who is impatient presses it twice
    assert demo.ends(30.0) == 130, demo.said
    assert "everything that was started has ended" in demo.said
    assert "Traceback" not in demo.said
    assert_nothing_left(demo.folder, demo.site / "config.toml")


def test_killed_outright_it_takes_everything_with_it(demo: Running) -> None:
    demo.wait_until_it_says("recording begins, both sides")
    demo.process.kill()
    demo.process.wait()
    assert_nothing_left(demo.folder, demo.site / "config.toml")


def test_when_the_recorder_dies_it_says_so_and_fails(demo: Running) -> None:
    demo.wait_until_it_says("presses 1")
    os.kill(processes_of(demo.site)["recorder"].pid, signal.SIGKILL)
    assert demo.ends(60.0) == 1, demo.said
    assert "The demonstration failed:" in demo.said
    assert "Traceback" not in demo.said
    assert_nothing_left(demo.folder, demo.site / "config.toml")


def test_two_at_once_in_one_folder_do_not_disturb_each_other(demo: Running, tmp_path: Path) -> None:
    demo.wait_until_it_says("Asterisk")
    second = subprocess.run(COMMAND, cwd=tmp_path, capture_output=True, text=True, timeout=30, check=False)
    assert second.returncode == 1
    assert "another command is at work on the sandbox" in second.stderr
    demo.wait_until_it_says("Call 1")
    demo.process.send_signal(signal.SIGTERM)
    assert demo.ends(30.0) == 143
