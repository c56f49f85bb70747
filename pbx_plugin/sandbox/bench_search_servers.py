"""Databases for the benchmark of searching, each in a private folder: a file, or a server on a socket of its own.

No server listens to the network. One that refuses to run as root is run as the user that its package made for it.
"""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from typing import ClassVar

from pbx_plugin.sandbox.bench_site import BenchError

_STARTS_WITHIN_S = 60.0


class Server:
    """One kind of database. ``start`` returns its address; ``stop`` ends it and removes what it wrote."""

    name: ClassVar[str]
    title: ClassVar[str]
    package: ClassVar[str]

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def there(self) -> bool:
        """Tell whether its program is on this machine."""
        return True

    def start(self) -> str:
        """Start it, empty."""
        raise NotImplementedError

    def stop(self) -> None:
        """End it and remove its folder; again is harmless."""
        shutil.rmtree(self._folder, ignore_errors=True)


class Sqlite(Server):
    """A file."""

    name, title, package = "sqlite", "SQLite", "part of Python"

    def start(self) -> str:
        """Name the file; migrating makes it."""
        self._folder.mkdir(mode=0o750)
        return f"sqlite:///{self._folder / 'search.sqlite'}"


class _Process(Server):
    """A server as a process."""

    user: ClassVar[str]

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._process: subprocess.Popen[bytes] | None = None
        self._data = Path()

    def stop(self) -> None:
        """End the process, then remove its folder."""
        if self._process is not None:
            self._process.terminate()
            try:
                self._process.wait(30)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
            self._process = None
        if self._data != Path():
            shutil.rmtree(self._data, ignore_errors=True)
        super().stop()

    def _prepare(self) -> None:
        # Of its own and short: a socket's path has no more than 107 characters, and others must reach the folder.
        self._data = Path(tempfile.mkdtemp(prefix=f"pbx_plugin.{self.name}.", dir="/var/tmp"))
        if os.geteuid() == 0:
            account = pwd.getpwnam(self.user)
            os.chown(self._data, account.pw_uid, account.pw_gid)

    def _words(self, *words: str) -> list[str]:
        return (
            ["setpriv", f"--reuid={self.user}", f"--regid={self.user}", "--init-groups", *words]
            if os.geteuid() == 0
            else [*words]
        )

    def _run(self, *words: str) -> None:
        done = subprocess.run(self._words(*words), capture_output=True, text=True, cwd=self._data, check=False)
        if done.returncode != 0:
            raise BenchError(f"{words[0]} ended with {done.returncode}: {done.stderr.strip()[-300:]}")

    def _begin(self, *words: str, ready: list[str]) -> None:
        log = (self._data / "log").open("wb")
        with log:
            self._process = subprocess.Popen(
                self._words(*words), stdout=log, stderr=log, stdin=subprocess.DEVNULL, cwd=self._data
            )
        end = time.monotonic() + _STARTS_WITHIN_S
        while time.monotonic() < end:
            if self._process.poll() is not None:
                break
            if subprocess.run(ready, capture_output=True, check=False).returncode == 0:
                return
            time.sleep(0.1)
        raise BenchError(f"{self.title} did not start: {(self._data / 'log').read_text(errors='replace')[-300:]}")


class PostgreSql(_Process):
    """PostgreSQL as its package sets it up, but on a socket only."""

    name, title, package, user = "postgresql", "PostgreSQL", "postgresql", "postgres"

    def there(self) -> bool:
        """Tell whether its server is on this machine."""
        return _programs() is not None

    def start(self) -> str:
        """Make a cluster and start it."""
        self._prepare()
        programs, data = str(_programs()), str(self._data / "data")
        self._run(
            f"{programs}/initdb",
            "-D",
            data,
            "-U",
            "bench",
            "-A",
            "trust",
            "-E",
            "UTF8",
            "--locale=C.UTF-8",
            "--no-sync",
        )
        socket = str(self._data)
        ready = [f"{programs}/pg_isready", "-q", "-h", socket, "-U", "bench"]
        self._begin(f"{programs}/postgres", "-D", data, "-k", socket, "-c", "listen_addresses=", ready=ready)
        return f"postgresql://bench@/postgres?host={socket}"


class MariaDb(_Process):
    """MariaDB with its own defaults, on a socket only."""

    name, title, package, user = "mariadb", "MariaDB", "mariadb-server", "mysql"

    def there(self) -> bool:
        """Tell whether its server is on this machine."""
        return shutil.which("mariadbd", path=_PATH) is not None

    def start(self) -> str:
        """Make its tables and start it."""
        self._prepare()
        data, socket = str(self._data / "data"), str(self._data / "s")
        owner = pwd.getpwuid(os.geteuid()).pw_name
        self._run(
            "mariadb-install-db", "--no-defaults", f"--datadir={data}", "--auth-root-authentication-method=socket",
            f"--auth-root-socket-user={owner}", "--skip-test-db",
        )  # fmt: skip
        own = ["--no-defaults", "--protocol=socket", f"--socket={socket}", "-u", "root"]
        self._begin(
            str(shutil.which("mariadbd", path=_PATH)), "--no-defaults", f"--datadir={data}", f"--socket={socket}",
            "--skip-networking", f"--pid-file={self._data / 'pid'}", f"--tmpdir={self._data}",
            ready=["mariadb-admin", *own, "ping"],
        )  # fmt: skip
        made = subprocess.run(
            ["mariadb", *own, "-e", "CREATE DATABASE search CHARACTER SET utf8mb4"],
            capture_output=True,
            text=True,
            check=False,
        )
        if made.returncode != 0:
            raise BenchError(f"MariaDB makes no database: {made.stderr.strip()[-300:]}")
        return f"mariadb://root@localhost/search?unix_socket={socket}&charset=utf8mb4"


_PATH = "/usr/sbin:/usr/bin:/usr/local/sbin:/usr/local/bin"


def _programs() -> Path | None:
    """Return the folder of the newest PostgreSQL's programs, None where there is none."""
    found = [path.parent for path in Path("/usr/lib/postgresql").glob("*/bin/initdb")]
    if not found and (program := shutil.which("initdb")):
        found = [Path(program).parent]
    return max(
        found, key=lambda folder: [int(part) for part in folder.parent.name.split(".") if part.isdigit()], default=None
    )


SERVERS: tuple[type[Server], ...] = (Sqlite, PostgreSql, MariaDb)
