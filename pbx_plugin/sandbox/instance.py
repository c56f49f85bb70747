"""One private Asterisk: its folder, its start, its end, and talking to it."""

from __future__ import annotations

import contextlib
import io
import os
import shutil
import signal
import subprocess
import tempfile
import time
import wave
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from types import TracebackType
from typing import Self

from pbx_plugin.sandbox.instance_config import asterisk_conf, base_files
from pbx_plugin.sandbox.instance_ports import PortBlock
from pbx_plugin.sandbox.instance_process import (
    Lifeline,
    end_group,
    forget_pid_file,
    has_ended,
    stop_left_over,
    write_pid_file,
)
from pbx_plugin.sandbox.provision import AsteriskBinary, ensure_asterisk

LONGEST_SOCKET_PATH = 100
"""The kernel allows a socket's path 107 bytes; beyond this the control socket gets a folder with a short name."""


_APPEND = os.O_WRONLY | os.O_CREAT | os.O_APPEND


class AsteriskError(Exception):
    """Asterisk did not start, stop or answer; the text carries the end of its log."""


class AsteriskInstance:
    """An Asterisk with all its files in `folder`, listening on `host` (a loopback address) only.

    `configs` maps file names (`pjsip.conf`, `extensions.conf`, `manager.conf`, …) to their texts and replaces what
    `instance_config` would write. The HTTP server (for ARI) is ours: see `http_port`. RTP uses the block's range; media
    stays on the loopback only if the endpoints say `media_address` and `bind_rtp_to_media_address = yes`.

    `start` and `stop` may follow each other any number of times, also after `kill`. One thread drives an instance.
    Its Asterisk ends with this process, however that ends, unless it is `detached`: then `stop_left_over(folder)` of
    `instance_process` ends it from another.
    """

    def __init__(
        self,
        folder: Path,
        configs: Mapping[str, str] | None = None,
        *,
        ports: PortBlock | None = None,
        http_port: int | None = None,
        binary: AsteriskBinary | None = None,
        moh: bytes | None = None,
        detached: bool = False,
    ) -> None:
        self.folder = folder.resolve()
        self.ports = ports or PortBlock.take()
        self.host = self.ports.host
        self.http_port = http_port or self.ports.port("tcp")
        self.binary = binary or ensure_asterisk()
        self.configs = dict(configs or {})
        self._moh = moh
        self._detached = detached
        self._lifeline: Lifeline | None = None
        self._child: subprocess.Popen[bytes] | None = None
        self._run_dir = self.folder / "run"
        self.extra: dict[str, str] = {}
        """What else is in Asterisk's environment, from its next start on."""

    # Where things lie

    @property
    def conf_path(self) -> Path:
        """The `asterisk.conf` that `-C` names."""
        return self.folder / "etc" / "asterisk.conf"

    @property
    def log_path(self) -> Path:
        """Everything Asterisk says, from notices to verbose 3 and DTMF."""
        return self.folder / "log" / "full"

    @property
    def cdr_path(self) -> Path:
        """The call detail records; its columns are `instance_config.CDR_COLUMNS`. Absent before the first call."""
        return self.folder / "log" / "cdr-custom" / "Master.csv"

    @property
    def cel_path(self) -> Path:
        """The channel event log; its columns are `instance_config.CEL_COLUMNS`. Absent before the first call."""
        return self.folder / "log" / "cel-custom" / "Master.csv"

    @property
    def spool_dir(self) -> Path:
        """`astspooldir`; ARI's recordings lie below `recording/`."""
        return self.folder / "spool"

    @property
    def sounds_dir(self) -> Path:
        """Where prompts go: `sounds_dir/en/callrec/x.wav` is `callrec/x` to the dialplan. Asterisk's own are there."""
        return self.folder / "data" / "sounds"

    @property
    def agi_dir(self) -> Path:
        """`astagidir`: scripts that `AGI(name)` runs."""
        return self.folder / "agi-bin"

    @property
    def pid(self) -> int:
        """The process id of the running Asterisk.

        Raises:
            AsteriskError: it is not running.
        """
        if self._child is None or has_ended(self._child):
            raise AsteriskError("Asterisk is not running")
        return self._child.pid

    # Start and end

    def start(self, timeout: float = 30.0) -> None:
        """Write the files, start Asterisk, and return when it has fully booted (`timeout` in seconds).

        Raises:
            AsteriskError: it ended or did not boot in time; nothing is left running.
        """
        if self._child is not None:
            if not has_ended(self._child):
                return
            self.kill()
        stop_left_over(self.folder)
        self._write()
        command = [*self.binary.command, "-C", str(self.conf_path), "-f"]
        with os.fdopen(os.open(self.folder / "log" / "console", _APPEND, 0o640), "ab") as console:
            self._child = subprocess.Popen(
                command, cwd=self.folder, env=_environment() | self.extra, umask=0o027, stdin=subprocess.DEVNULL,
                stdout=console, stderr=console, start_new_session=True, pass_fds=[self.ports.lock_fd],
            )  # fmt: skip
        if not self._detached:
            self._lifeline = Lifeline(self._child.pid, str(self.conf_path))
        write_pid_file(self.folder, self._child.pid)
        try:
            self._wait_booted(self._child, timeout)
        except BaseException:
            self.kill()
            raise

    def stop(self, timeout: float = 5.0) -> None:
        """End Asterisk: by its own command, then TERM, then KILL, `timeout` seconds apart; again is harmless."""
        child = self._child
        if child is None:
            return
        if not has_ended(child):
            self.thaw()
            with contextlib.suppress(AsteriskError):
                self.rx("core stop now", timeout=timeout)
        self._end(child, timeout)

    def kill(self) -> None:
        """SIGKILL Asterisk and what it started, as in a crash: files stay as they were at that moment."""
        if self._child is not None:
            self._end(self._child, None)

    def freeze(self) -> None:
        """Stop Asterisk's clock (SIGSTOP) until `thaw`."""
        os.kill(self.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        """Let a frozen Asterisk go on (SIGCONT)."""
        os.kill(self.pid, signal.SIGCONT)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """`stop`, and let go of the ports; the instance is not started again after this."""
        self.stop()
        self.ports.release()

    # Talking to it

    def rx(self, command: str, timeout: float = 10.0) -> str:
        """What Asterisk's command line answers to `command`.

        Raises:
            AsteriskError: no Asterisk listens, or it did not answer within `timeout` seconds.
        """
        words = [*self.binary.command, "-C", str(self.conf_path), "-rx", command]
        try:
            done = subprocess.run(
                words, env=_environment(), cwd=self.folder, stdin=subprocess.DEVNULL, capture_output=True, text=True,
                errors="replace", timeout=timeout, check=False,
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            raise AsteriskError(f"Asterisk did not answer {command!r} within {timeout:g} s") from None
        if done.returncode:
            raise AsteriskError(f"Asterisk took no command: {(done.stderr or done.stdout).strip()}")
        return done.stdout

    def log_tail(self, lines: int = 30) -> str:
        """The last `lines` of the log and of what Asterisk printed before it had one."""
        said = []
        for path in (self.folder / "log" / "console", self.log_path):
            if path.exists():
                said += path.read_text(errors="replace").splitlines()[-lines:]
        return "\n".join(said)

    # Inside

    def _wait_booted(self, child: subprocess.Popen[bytes], timeout: float) -> None:
        until = time.monotonic() + timeout
        control = self._run_dir / "asterisk.ctl"
        while time.monotonic() < until:
            if has_ended(child):
                raise AsteriskError(f"Asterisk ended at its start:\n{self.log_tail()}")
            if control.exists():
                with contextlib.suppress(AsteriskError):
                    # An Asterisk that gives up during its start closes the line, without a word and without an error.
                    if "has fully booted" in self.rx(
                        "core waitfullybooted", timeout=max(0.1, until - time.monotonic())
                    ):
                        return
            time.sleep(0.05)
        raise AsteriskError(f"Asterisk did not boot within {timeout:g} s:\n{self.log_tail()}")

    def _write(self) -> None:
        for part in ("etc", "lib/keys", "cache", "run", "agi-bin", "moh", "spool/recording", "spool/monitor"):
            _folder(self.folder / part)
        for part in ("log/cdr-custom", "log/cel-custom"):
            _folder(self.folder / part)
        if len(os.fsencode(self._run_dir / "asterisk.ctl")) > LONGEST_SOCKET_PATH:
            self._run_dir = Path(tempfile.mkdtemp(prefix="asterisk-"))
        with contextlib.suppress(FileNotFoundError):
            (self._run_dir / "asterisk.ctl").unlink()
        _link_data(self.binary.data_dir, self.folder / "data")
        _write_file(self.folder / "moh" / "hold.wav", self._moh or _silence())
        files = base_files(self.host, self.http_port, self.ports.rtp_first, self.ports.rtp_last, self.folder / "moh")
        files |= self.configs
        files["asterisk.conf"] = asterisk_conf(self.folder, self._run_dir, self.binary.modules_dir)
        for name, text in files.items():
            inside = PurePosixPath(name)
            if inside.is_absolute() or ".." in inside.parts:
                raise ValueError(f"{name!r} is no name of a configuration file")
            _folder((self.folder / "etc" / inside).parent)
            _write_file(self.folder / "etc" / inside, text.encode())

    def _end(self, child: subprocess.Popen[bytes], patience: float | None) -> None:
        # Untied first: once the child is waited for, its number may be another's.
        if self._lifeline is not None:
            self._lifeline.untie()
            self._lifeline = None
        end_group(child, patience)
        self._child = None
        forget_pid_file(self.folder)
        if self._run_dir != self.folder / "run":
            shutil.rmtree(self._run_dir, ignore_errors=True)
            self._run_dir = self.folder / "run"


def _environment() -> dict[str, str]:
    # PYTHONDONTWRITEBYTECODE would make every AGI script compile itself anew; the others are for other programs.
    unwanted = ("PYTHONDONTWRITEBYTECODE", "LD_LIBRARY_PATH", "LD_PRELOAD", "ASTERISK_PROMPT")
    return {name: value for name, value in os.environ.items() if name not in unwanted} | {"LC_ALL": "C.UTF-8"}


def _folder(path: Path) -> None:
    for missing in reversed([folder for folder in (path, *path.parents) if not folder.exists()]):
        missing.mkdir(mode=0o750, exist_ok=True)


def _write_file(path: Path, content: bytes) -> None:
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o640)
    with os.fdopen(handle, "wb") as file:
        os.fchmod(handle, 0o640)
        file.write(content)


def _link_data(source: Path, data: Path) -> None:
    """Fill `data` with links to Asterisk's own data; the folders of sounds are real, so that prompts can join them."""
    _folder(data)
    for entry in source.iterdir():
        if entry.name != "sounds":
            _link(data / entry.name, entry)
    english = next((d for d in (source / "sounds" / "en", *source.glob("sounds/en_*")) if d.is_dir()), None)
    _folder(data / "sounds" / "en")
    for entry in english.iterdir() if english else ():
        _link(data / "sounds" / "en" / entry.name, entry)


def _link(name: Path, target: Path) -> None:
    # A name that is taken is a prompt of ours, or the link of an earlier start.
    if name.is_symlink() and name.readlink() != target:
        name.unlink()
    with contextlib.suppress(FileExistsError):
        name.symlink_to(target)


def _silence() -> bytes:
    """Ten seconds of music on hold that nobody can mistake for a voice."""
    content = io.BytesIO()
    with wave.open(content, "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(8000)
        sound.writeframes(bytes(2 * 8000 * 10))
    return content.getvalue()
