"""``pbx-plugin sandbox``: a program that knows nothing of our code starts a site, calls, reads results, and ends it.

Everything these tests know of the site they have from ``up --json``; results are read with the command line only.
"""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from left_over import assert_nothing_left, processes_in

from pbx_plugin.sandbox.listening import assert_side, heard_anywhere
from pbx_plugin.sandbox.phone import Phone
from pbx_plugin.sandbox.signals import voice, write_voice

PROGRAM = [sys.executable, "-m", "pbx_plugin.cli.main"]
Info = dict[str, Any]


def run(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """One command, as from a shell."""
    return subprocess.run(
        [*PROGRAM, *words], env=os.environ | environment, capture_output=True, text=True, timeout=120, check=False
    )


def up(folder: Path) -> Info:
    done = run("sandbox", "up", "--dir", str(folder), "--json")
    assert done.returncode == 0, done.stderr
    info: Info = json.loads(done.stdout)
    return info


def status(folder: Path) -> Info:
    done = run("sandbox", "status", "--dir", str(folder), "--json")
    assert done.returncode == 0, done.stderr
    info: Info = json.loads(done.stdout)
    return info


def down(folder: Path) -> None:
    done = run("sandbox", "down", "--dir", str(folder), "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["up"] is False


def ask(info: Info, *words: str) -> Any:
    """What the command line of a site answers in JSON."""
    done = subprocess.run(
        [*info["cli"]["argv"], *words, "--json"],
        env=os.environ | info["cli"]["environment"], capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    return json.loads(done.stdout)


def wait_for(fact: Callable[[], Any], seconds: float = 15.0) -> Any:
    until = time.monotonic() + seconds
    while not (found := fact()):
        assert time.monotonic() < until, "it did not become so in time"
        time.sleep(0.3)
    return found


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("outside") / "box"
    yield folder
    down(folder)


@pytest.fixture
def info(folder: Path) -> Info:
    """The site, up: started by the first test that wants it."""
    return up(folder)


@pytest.fixture
def sounds(tmp_path: Path) -> Path:
    return tmp_path


def phone(info: Info, account: Info, mark: str, sounds: Path, *, register: bool = True, caller: str = "") -> Phone:
    """A phone with an account of the JSON."""
    return Phone.start(
        account["username"],
        server=f"{info['sip']['host']}:{info['sip']['port']}",
        register=register,
        password=account["password"],
        caller=caller,
        signal=write_voice(sounds / f"{mark}.wav", voice(mark)),
    )


def account(info: Info, extension: str) -> Info:
    found: Info = next(one for one in info["phones"] if one["extension"] == extension)
    return found


def members(info: Info, number: str) -> list[str]:
    found: list[str] = next(one["members"] for one in info["numbers"]["groups"] if one["number"] == number)
    return found


def test_an_outside_caller_consents_and_both_sides_are_found_by_the_command_line(info: Info, sounds: Path) -> None:
    consent = next(one for one in info["numbers"]["consent"] if one["language"] == "en")
    number = "+4531207001"
    with (
        phone(info, account(info, members(info, consent["yes_group"])[0]), "alfa", sounds) as agent,
        phone(info, info["outside_callers"][0], "mike", sounds, register=False, caller=number) as caller,
    ):
        agent.auto_answer(200)
        leg = caller.dial(consent["ddi"])
        leg.wait("CONFIRMED")
        leg.dtmf(consent["keys"]["yes"])
        agent.wait_incoming(15).wait("CONFIRMED")
        leg.still_up(4)
        leg.hangup()
        leg.wait_ended()

    def stored() -> list[Info]:
        return [
            one for one in ask(info, "recordings", "list") if one["state"] == "stored" and one["other_e164"] == number
        ]

    (recording,) = wait_for(stored)
    assert Path(recording["file"]).is_relative_to(info["paths"]["archive"])
    assert_side(Path(recording["file"]), 0, voice("alfa"), 0.5, 3.0)
    assert_side(Path(recording["file"]), 1, voice("mike"), 0.5, 3.0)
    (evidence,) = [one for one in ask(info, "consent", "list") if one["caller_e164"] == number]
    assert (evidence["outcome"], evidence["digits"]) == ("given", consent["keys"]["yes"])
    explained = ask(info, "explain", recording["call_id"])
    assert [one["verdict"] for one in explained["decisions"]] == ["record"]


def test_a_caller_who_refuses_is_nowhere_in_the_folders_that_the_json_names(info: Info, sounds: Path) -> None:
    consent = next(one for one in info["numbers"]["consent"] if one["language"] == "en")
    number = "+4531207002"
    with (
        phone(info, account(info, members(info, consent["no_group"])[0]), "bravo", sounds) as agent,
        phone(info, info["outside_callers"][1], "november", sounds, register=False, caller=number) as caller,
    ):
        agent.auto_answer(200)
        leg = caller.dial(consent["ddi"])
        leg.wait("CONFIRMED")
        leg.dtmf(consent["keys"]["no"])
        agent.wait_incoming(15).wait("CONFIRMED")
        leg.still_up(3)
        leg.hangup()
        leg.wait_ended()

    def ended() -> list[Info]:
        return [one for one in ask(info, "calls", "list") if one["caller_e164"] == number and one["ended_at"]]

    (call,) = wait_for(ended)
    assert (call["verdicts"], call["recordings"]) == (["never"], 0)
    # The prompts lie in the state folder, too: speech that has a voice's tone now and then.
    state = Path(info["paths"]["state"])
    places = [Path(info["paths"][name]) for name in ("spool", "archive", "asterisk_spool")]
    places += [place for place in state.iterdir() if place.name != "prompts"]
    for mark in ("bravo", "november"):
        assert heard_anywhere([place for place in places if place.exists()], voice(mark)) == []


def test_a_user_calls_out_and_the_call_arrives_at_the_trunk_that_the_json_names(info: Info, sounds: Path) -> None:
    user = account(info, info["numbers"]["users"]["on_demand"][0]["extension"])
    outside = Phone.start("line", address=info["trunk"]["host"], port=info["trunk"]["port"])
    with outside, phone(info, user, "charlie", sounds) as caller:
        outside.auto_answer(100)
        leg = caller.dial(info["numbers"]["outside_example"])
        outside.wait_incoming().wait("CONFIRMED")
        leg.hangup()
        leg.wait_ended()


def test_up_again_changes_nothing_and_says_the_same(folder: Path, info: Info) -> None:
    assert up(folder) == info
    assert status(folder) == info
    assert (folder / "sandbox.json").stat().st_mode & 0o777 == 0o640
    assert all(Path(f"/proc/{pid}").exists() for pid in info["pids"].values())


@pytest.mark.parametrize("victim", ["recorder", "asterisk"])
def test_a_site_that_is_half_dead_is_told_as_down_and_mended_by_up(folder: Path, info: Info, victim: str) -> None:
    calls = ask(info, "calls", "list")
    os.kill(info["pids"][victim], signal.SIGKILL)
    wait_for(lambda: status(folder)["up"] is False)
    assert victim not in status(folder)["pids"]
    again = up(folder)
    assert status(folder) == again
    assert set(again["pids"].values()).isdisjoint(info["pids"].values())
    assert ask(again, "calls", "list") == calls


def test_up_that_was_killed_half_way_is_mended_by_up_and_ended_by_down(tmp_path: Path) -> None:
    box = tmp_path / "box"
    first = subprocess.Popen(
        [*PROGRAM, "sandbox", "up", "--dir", str(box)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    wait_for(lambda: "asterisk" in status(box)["pids"])
    first.kill()
    first.communicate()
    info = up(box)
    assert status(box) == info
    down(box)
    assert_nothing_left(box, box / "config.toml")


def test_down_ends_all_of_it_and_no_stranger_whose_number_stands_in_the_file(folder: Path, info: Info) -> None:
    stranger = subprocess.Popen(["sleep", "60"])
    try:
        os.kill(info["pids"]["recorder"], signal.SIGKILL)
        (folder / "sandbox.json").write_text(json.dumps(info | {"pids": info["pids"] | {"recorder": stranger.pid}}))
        assert status(folder)["up"] is False
        down(folder)
        assert stranger.poll() is None
        down(folder)
    finally:
        stranger.kill()
        stranger.wait()
    assert processes_in(folder) == []
    assert_nothing_left(folder, folder / "config.toml")
    assert status(folder) == {"up": False, "folder": str(folder), "pids": {}}


def test_a_folder_that_cannot_be_used_is_one_clear_line(tmp_path: Path) -> None:
    (tmp_path / "box").write_text("not a folder")
    done = run("sandbox", "up", "--dir", str(tmp_path / "box"))
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
