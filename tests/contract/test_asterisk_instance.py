"""A private Asterisk does what the live tests and the demonstration take for granted."""

import contextlib
import stat
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pbx_plugin.sandbox.instance import AsteriskError, AsteriskInstance
from pbx_plugin.sandbox.instance_ports import PortBlock
from pbx_plugin.sandbox.instance_process import running_in, stop_left_over

BARE = {"modules.conf": "[modules]\nautoload = no\n"}
"""Asterisk without a single module: enough to start and to stop, and quick at both."""


DIALPLAN = """
[here]
exten => 1,1,Answer()
same => n,AGI(who.py)
same => n,Playback(ours/short)
same => n,Set(CDR(userfield)=${WHO} ${PLAYBACKSTATUS})
same => n,Hangup()
"""

WHO = """#!/usr/bin/env python3
import sys
print("SET VARIABLE WHO script-%d" % sys.version_info[0], flush=True)
sys.stdin.readline()
"""


def listening(pid: int) -> set[tuple[str, str, int]]:
    """(tcp or udp, address as in /proc/net, port) of every socket on which the process waits for someone."""
    inodes = set()
    for handle in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):
            target = str(handle.readlink())
            if target.startswith("socket:["):
                inodes.add(target[8:-1])
    found = set()
    for table in ("tcp", "tcp6", "udp", "udp6"):
        for row in Path(f"/proc/{pid}/net/{table}").read_text().splitlines()[1:]:
            fields = row.split()
            address, port = fields[1].split(":")
            waiting = fields[3] == ("0A" if table.startswith("tcp") else "07")
            if fields[9] in inodes and waiting:
                found.add((table, address, int(port, 16)))
    return found


def is_alive(pid: int) -> bool:
    try:
        return "Z" not in Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except FileNotFoundError:
        return False


def wait_until(true: Callable[[], bool], seconds: float = 5.0) -> bool:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if true():
            return True
        time.sleep(0.05)
    return False


@pytest.fixture(scope="module")
def asterisk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AsteriskInstance]:
    ports = PortBlock.take()
    sip, ami = ports.port("udp"), ports.port("tcp")
    configs = {
        "pjsip.conf": f"[here]\ntype = transport\nprotocol = udp\nbind = 127.0.0.1:{sip}\n",
        "manager.conf": f"[general]\nenabled = yes\nbindaddr = 127.0.0.1\nport = {ami}\n",
        "extensions.conf": DIALPLAN,
        "ari.conf": "[general]\nenabled = yes\n[rec]\ntype = user\npassword = secret\n",
    }
    with AsteriskInstance(tmp_path_factory.mktemp("pbx") / "a", configs, ports=ports) as running:
        yield running


def test_it_is_an_asterisk_we_are_made_for(asterisk: AsteriskInstance) -> None:
    assert asterisk.rx("core show version").startswith(f"Asterisk {asterisk.binary.version}")
    assert asterisk.binary.major >= 20


def test_everything_a_recorded_call_needs_is_loaded(asterisk: AsteriskInstance) -> None:
    table = asterisk.rx("module show")
    running = {row.split()[0] for row in table.splitlines() if "Running" in row and "Not Running" not in row}
    wanted = """
        chan_pjsip res_pjsip res_pjsip_sdp_rtp res_pjsip_dtmf_info res_pjsip_refer res_pjsip_registrar
        res_pjsip_header_funcs res_ari res_ari_events res_ari_channels res_ari_applications res_ari_recordings
        res_stasis res_stasis_snoop res_stasis_recording res_stasis_playback app_stasis res_agi res_http_websocket
        app_dial app_queue app_mixmonitor app_playback app_userevent app_senddtmf app_confbridge app_voicemail
        app_chanspy app_originate func_periodic_hook func_channel func_cdr func_callerid func_strings
        func_pjsip_endpoint res_parking res_musiconhold res_timing_timerfd format_wav format_sln format_gsm
        codec_ulaw codec_alaw codec_g722 codec_gsm codec_resample bridge_simple bridge_native_rtp bridge_softmix
        bridge_builtin_features pbx_config cdr_custom cel_custom res_sorcery_config res_sorcery_memory
        res_sorcery_astdb res_rtp_asterisk res_manager_devicestate
    """
    assert {f"{name}.so" for name in wanted.split()} - running == set()


def test_its_log_holds_no_error_after_a_start(asterisk: AsteriskInstance) -> None:
    assert [row for row in asterisk.log_path.read_text().splitlines() if "ERROR" in row or "WARNING" in row] == []


def test_ari_answers_on_the_http_port(asterisk: AsteriskInstance) -> None:
    url = f"http://{asterisk.host}:{asterisk.http_port}/ari/asterisk/info"
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(url, timeout=5)
    with refused.value as answer:
        assert answer.code == 401


def test_a_call_runs_scripts_and_prompts_and_leaves_its_records(asterisk: AsteriskInstance) -> None:
    script = asterisk.agi_dir / "who.py"
    script.write_text(WHO)
    script.chmod(0o750)
    prompt = asterisk.sounds_dir / "en" / "ours" / "short.gsm"
    prompt.parent.mkdir(mode=0o750)
    prompt.touch(0o640)
    prompt.write_bytes((asterisk.sounds_dir / "en" / "beep.gsm").read_bytes())
    asterisk.rx("channel originate Local/1@here application Wait 5")
    assert wait_until(lambda: asterisk.cdr_path.exists() and "script-3 SUCCESS" in asterisk.cdr_path.read_text())
    assert wait_until(lambda: "LINKEDID_END" in asterisk.cel_path.read_text())


def test_nobody_outside_this_machine_can_reach_it(asterisk: AsteriskInstance) -> None:
    sockets = listening(asterisk.pid)
    block = range(asterisk.ports.first, asterisk.ports.first + 500)
    outside = {s for s in sockets if not s[1].endswith("7F")}
    # res_pjsip's own two sockets for asking name servers, of the kernel's choosing; nothing can be configured there.
    assert all(kind.startswith("udp") and port not in block for kind, _, port in outside), outside
    assert sorted(kind for kind, _, _ in outside) in ([], ["udp"], ["udp", "udp6"])
    assert {port for kind, _, port in sockets if kind == "tcp"} >= {asterisk.http_port}


def test_sounds_and_prompts_are_found_side_by_side(asterisk: AsteriskInstance) -> None:
    assert (asterisk.sounds_dir / "en" / "beep.gsm").exists()
    assert asterisk.sounds_dir.is_relative_to(asterisk.folder)


def test_others_on_the_machine_can_read_nothing_of_it(asterisk: AsteriskInstance) -> None:
    for path in [asterisk.folder, *asterisk.folder.rglob("*")]:
        if not path.is_symlink():
            assert not path.stat().st_mode & stat.S_IRWXO, path


def test_the_ports_stay_taken_while_asterisk_runs(asterisk: AsteriskInstance) -> None:
    lock_file = Path(f"/proc/{asterisk.pid}/fd/{asterisk.ports.lock_fd}").readlink()
    assert lock_file.name == str(asterisk.ports.first)
    assert subprocess.run(["flock", "-n", lock_file, "true"], check=False).returncode == 1


@pytest.mark.wide
def test_it_starts_again_after_a_crash_and_after_a_stop(tmp_path: Path) -> None:
    asterisk = AsteriskInstance(tmp_path / "a", BARE)
    try:
        asterisk.start()
        first = asterisk.pid
        asterisk.kill()
        assert not is_alive(first)
        assert running_in(asterisk.folder) is None
        with pytest.raises(AsteriskError):
            asterisk.rx("core show version")
        asterisk.start()
        second = asterisk.pid
        asterisk.freeze()
        with pytest.raises(AsteriskError, match="did not answer"):
            asterisk.rx("core show version", timeout=0.2)
        asterisk.stop()
        assert not is_alive(second)
    finally:
        asterisk.close()


@pytest.mark.wide
def test_a_wrong_configuration_is_told_with_the_log(tmp_path: Path) -> None:
    asterisk = AsteriskInstance(tmp_path / "a", {"modules.conf": "[modules]\nrequire = res_nosuch.so\n"})
    try:
        with pytest.raises(AsteriskError, match="res_nosuch"):
            asterisk.start()
        assert running_in(asterisk.folder) is None
    finally:
        asterisk.close()


START_AND_SAY = """
import sys, time
from pathlib import Path
from pbx_plugin.sandbox.instance import AsteriskInstance
bare = {"modules.conf": "[modules]\\nautoload = no"}
asterisk = AsteriskInstance(Path(sys.argv[1]), bare, detached=sys.argv[2] == "detached")
asterisk.start()
print(asterisk.pid, flush=True)
time.sleep(60)
"""


def start_elsewhere(folder: Path, how: str) -> tuple["subprocess.Popen[str]", int]:
    other = subprocess.Popen([sys.executable, "-c", START_AND_SAY, str(folder), how], stdout=subprocess.PIPE, text=True)
    assert other.stdout is not None
    return other, int(other.stdout.readline())


@pytest.mark.wide
def test_it_ends_with_the_process_that_started_it(tmp_path: Path) -> None:
    other, pid = start_elsewhere(tmp_path / "a", "tied")
    with other:
        other.kill()
    assert wait_until(lambda: not is_alive(pid))


@pytest.mark.wide
def test_a_detached_one_stays_until_another_process_stops_it(tmp_path: Path) -> None:
    other, pid = start_elsewhere(tmp_path / "a", "detached")
    with other:
        other.kill()
    try:
        time.sleep(0.3)
        assert is_alive(pid)
    finally:
        assert stop_left_over(tmp_path / "a")
    assert not is_alive(pid)
    assert not stop_left_over(tmp_path / "a")


def test_a_pid_file_that_names_someone_else_ends_nobody(tmp_path: Path) -> None:
    with subprocess.Popen(["sleep", "60"], start_new_session=True) as bystander:
        began = Path(f"/proc/{bystander.pid}/stat").read_text().rsplit(")", 1)[1].split()[19]
        (tmp_path / "asterisk.pid").write_text(f"{bystander.pid} {began}\n")
        ended = stop_left_over(tmp_path)
        alive = is_alive(bystander.pid)
        bystander.kill()
    assert not ended
    assert alive


def test_a_long_path_is_no_hindrance(tmp_path: Path) -> None:
    asterisk = AsteriskInstance(tmp_path / ("long" * 25), BARE)
    try:
        asterisk.start()
        assert "Asterisk" in asterisk.rx("core show version")
        asterisk.kill()
    finally:
        asterisk.close()
