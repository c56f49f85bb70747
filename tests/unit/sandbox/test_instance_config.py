"""What a private Asterisk is told before it starts, and the ports it is given."""

import contextlib
import os
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from pbx_plugin.sandbox.instance import AsteriskInstance
from pbx_plugin.sandbox.instance_config import CDR_COLUMNS, asterisk_conf, base_files
from pbx_plugin.sandbox.instance_ports import NoFreePortsError, PortBlock, is_free
from pbx_plugin.sandbox.provision import AsteriskBinary


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def test_every_file_listens_on_the_given_address_only() -> None:
    files = base_files("127.0.0.9", 20400, 20000, 20399, Path("/moh"))
    addresses = [
        line.split("=")[1].strip() for text in files.values() for line in text.splitlines() if "bindaddr" in line
    ]
    assert addresses == ["127.0.0.9"]
    assert "enabled = no" in files["ari.conf"]
    assert "enabled = no" in files["manager.conf"]


def test_nothing_is_written_or_read_outside_the_instances_folder() -> None:
    text = asterisk_conf(Path("/here"), Path("/here/run"), Path("/there/modules"))
    places = dict(line.split(" => ") for line in text.splitlines() if " => " in line)
    assert places.pop("astmoddir") == "/there/modules"
    assert all(place.startswith("/here/") for place in places.values())
    assert len(places) == 10


def test_what_callers_say_of_themselves_is_quoted_in_the_call_detail_records() -> None:
    free_text = ("clid", "src", "dst", "userfield", "accountcode")
    assert all(f"${{CSV_QUOTE(${{CDR({name})}})}}" in CDR_COLUMNS for name in free_text)


@pytest.mark.parametrize("name", ["../pjsip.conf", "/etc/asterisk/pjsip.conf", "sub/../../pjsip.conf"])
def test_a_configuration_file_cannot_be_written_elsewhere(tmp_path: Path, name: str) -> None:
    never_run = AsteriskBinary("native", Path("/"), "22.0", ("false",), tmp_path, tmp_path)
    asterisk = AsteriskInstance(tmp_path / "a", {name: ""}, binary=never_run)
    with pytest.raises(ValueError, match="is no name of a configuration file"):
        asterisk.start()
    asterisk.close()


def test_two_blocks_never_share_a_port() -> None:
    one, other = PortBlock.take(), PortBlock.take()
    assert one.first != other.first
    assert one.rtp_last < one.port() < one.first + 500
    one.release()
    other.release()


def all_blocks() -> Iterator[PortBlock]:
    with contextlib.suppress(NoFreePortsError):
        while True:
            yield PortBlock.take()


def test_a_block_is_free_again_when_its_last_holder_has_gone() -> None:
    taken = list(all_blocks())
    first = taken[3].first
    holder = subprocess.Popen(["sleep", "60"], pass_fds=[taken[3].lock_fd])
    taken[3].release()
    with pytest.raises(NoFreePortsError):
        PortBlock.take()
    with holder:
        holder.kill()
    again = PortBlock.take()
    assert again.first == first
    for block in [*taken, again]:
        block.release()


def test_a_port_that_someone_uses_is_not_given_out() -> None:
    block = PortBlock.take()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as phone:
        phone.bind(("127.0.0.1", block.first + 400))
        assert not is_free("127.0.0.1", block.first + 400, "udp")
        assert block.port("udp") == block.first + 401
    block.release()
    assert is_free("127.0.0.1", block.first + 400, "udp")


def test_a_released_block_is_released_once() -> None:
    block = PortBlock.take()
    block.release()
    reused = os.open("/dev/null", os.O_RDONLY)
    block.release()
    os.fstat(reused)
    os.close(reused)
