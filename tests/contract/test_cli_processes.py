"""``run`` keeps its processes alive and ends them all; the services start and stop as commands."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from cli_site import Site

from pbx_plugin.cli.supervisor import Supervisor

SLEEP = "import time; time.sleep(60)"
STUBBORN = (
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); time.sleep(60)"
)


def python(code: str) -> list[str]:
    return [sys.executable, "-S", "-c", code]


def alive(pid: int) -> bool:
    # One that has ended but that nobody asked after yet is a zombie (Z); it does nothing any more.
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


class Watch:
    """Hears what a supervisor says, and tells it when to stop."""

    def __init__(self, enough: Callable[[list[str]], bool]) -> None:
        self.said: list[str] = []
        self._enough = enough
        self._until = time.monotonic() + 20

    def wait(self, _seconds: float) -> bool:
        time.sleep(0.02)
        assert time.monotonic() < self._until, self.said
        return self._enough(self.said)

    def pids(self, name: str) -> list[int]:
        found = (re.fullmatch(rf"{name} started \(process (\d+)\)", words) for words in self.said)
        return [int(match[1]) for match in found if match]

    def run(self, commands: dict[str, list[str]], patience: float = 10) -> None:
        Supervisor(commands, self.said.append, self.wait, shortest_pause=0.05, patience=patience).run()


def test_one_that_dies_is_restarted_more_and_more_slowly_and_the_other_never_notices() -> None:
    watch = Watch(lambda said: sum(words.startswith("crashing started") for words in said) == 3)
    watch.run({"crashing": python("raise SystemExit(3)"), "steady": python(SLEEP)})
    assert len(watch.pids("steady")) == 1
    ended = [words for words in watch.said if words.startswith("crashing ended")]
    assert ended[:2] == [
        "crashing ended (exit code 3): started again in 0.05 s",
        "crashing ended (exit code 3): started again in 0.1 s",
    ]


def test_one_that_is_killed_is_started_again_and_the_reason_told() -> None:
    def enough(said: list[str]) -> bool:
        pids = watch.pids("steady")
        if len(pids) == 1 and not killed:
            killed.append(pids[0])
            os.kill(pids[0], signal.SIGKILL)
        return len(pids) == 2

    killed: list[int] = []

    watch = Watch(enough)
    watch.run({"steady": python(SLEEP)})
    assert any("signal SIGKILL" in words for words in watch.said)


def test_stopping_ends_every_process_and_what_it_started_even_if_deaf(tmp_path: Path) -> None:
    note = tmp_path / "child"
    parent = (
        "import subprocess, sys, time\n"
        f"child = subprocess.Popen([sys.executable, '-S', '-c', {STUBBORN!r}], stdout=subprocess.PIPE)\n"
        "child.stdout.readline()\n"
        f"open({str(note)!r}, 'w').write(str(child.pid))\n"
        "time.sleep(60)"
    )
    watch = Watch(lambda said: note.exists() and note.read_text() != "")
    watch.run({"parent": python(parent), "other": python(SLEEP)})
    pids = [*watch.pids("parent"), *watch.pids("other"), int(note.read_text())]
    until = time.monotonic() + 5
    while any(map(alive, pids)) and time.monotonic() < until:
        time.sleep(0.02)
    assert not any(map(alive, pids))


def test_all_end_when_who_keeps_them_running_is_killed() -> None:
    keeper = (
        "import sys, time\n"
        "from pbx_plugin.cli.supervisor import Supervisor\n"
        f"sleeper = [sys.executable, '-S', '-c', {SLEEP!r}]\n"
        "say = lambda words: print(words, flush=True)\n"
        "Supervisor({'one': sleeper, 'two': sleeper}, say, lambda s: time.sleep(0.02)).run()"
    )
    with subprocess.Popen([sys.executable, "-c", keeper], stdout=subprocess.PIPE, text=True) as supervisor:
        assert supervisor.stdout is not None
        said = [supervisor.stdout.readline(), supervisor.stdout.readline()]
        pids = [int(words.rpartition(" ")[2].strip(")\n")) for words in said]
        assert all(map(alive, pids))
        supervisor.kill()
    until = time.monotonic() + 5
    while any(map(alive, pids)) and time.monotonic() < until:
        time.sleep(0.02)
    left = [pid for pid in pids if alive(pid)]
    for pid in left:
        os.kill(pid, signal.SIGKILL)
    assert left == []


def test_one_that_does_not_listen_is_killed_in_the_end() -> None:
    started: list[float] = []

    def enough(said: list[str]) -> bool:
        started.append(time.monotonic())
        return len(watch.pids("stubborn")) == 1 and time.monotonic() - started[0] > 0.5

    watch = Watch(enough)
    watch.run({"stubborn": python(STUBBORN)}, patience=0.3)
    assert watch.said[-1] == "stubborn did not end when asked: killed"
    assert not alive(watch.pids("stubborn")[0])


@pytest.fixture
def site(tmp_path: Path, migrated_file: Path, monkeypatch: pytest.MonkeyPatch) -> Site:
    monkeypatch.setenv("PBX_PLUGIN_CONFIG", "")
    ports = []
    for _ in range(2):
        with socket.create_server(("127.0.0.1", 0)) as held:
            ports.append(str(held.getsockname()[1]))
    return Site(tmp_path, migrated_file, "--agi-port", ports[0], "--ari-port", ports[1])


def start(site: Site, name: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "pbx_plugin.cli.main", "--config", str(site.config), name]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True)


def read_until(process: subprocess.Popen[str], word: str) -> str:
    assert process.stderr is not None
    heard = ""
    for heard_line in process.stderr:
        heard += heard_line
        if word in heard_line:
            return heard
    raise AssertionError(f"{word!r} never came: {heard}")


def finish(process: subprocess.Popen[str]) -> int:
    process.send_signal(signal.SIGTERM)
    try:
        process.communicate(timeout=20)
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
    return process.returncode


@pytest.mark.wide
def test_the_consent_service_answers_and_ends_when_told(site: Site) -> None:
    service = start(site, "agi")
    said = read_until(service, "answering")
    port = int(re.findall(r'"port": (\d+)', said)[0])
    with socket.create_connection(("127.0.0.1", port), 5):
        pass
    second = start(site, "agi")
    _, complaint = second.communicate(timeout=20)
    assert second.returncode == 1
    assert "cannot start" in complaint.splitlines()[-1], "one journal has one writer"
    assert finish(service) == 0


@pytest.mark.wide
def test_run_supervises_both_services_and_stops_them(site: Site) -> None:
    running = start(site, "run")
    said = read_until(running, "answering")
    pids = [int(pid) for pid in re.findall(r"(?:recorder|agi) started \(process (\d+)\)", said)]
    assert len(pids) == 2
    assert finish(running) == 0
    assert not any(map(alive, pids))
