"""The demonstration: three real calls through a real Asterisk, recorded or not, and what is on file afterwards.

    python -m pbx_plugin.sandbox.demo

Everything lies in ``.sandbox/demo`` of the working folder, and stays there to be listened to until the next one.
With ``KEEP=1`` in the environment the site is left up, with agents who answer. Exit code 0: all that was claimed is
so; 1: it is not, or a call could not be made; 130 and 143: interrupted. Nothing is left running then.
"""

from __future__ import annotations

import io
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from types import FrameType

from rich.console import Console
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from pbx_plugin.db.views import CallDetail
from pbx_plugin.sandbox import demo_calls as calls
from pbx_plugin.sandbox.demo_agents import AGENTS, READY, agents_command
from pbx_plugin.sandbox.demo_cast import CLARA, DAVID, EVERYBODY, ROSA, start_phone
from pbx_plugin.sandbox.demo_checks import Evidence, check
from pbx_plugin.sandbox.demo_portal import Invited, open_portal
from pbx_plugin.sandbox.demo_show import Show
from pbx_plugin.sandbox.demo_watch import FactMissingError, Watch
from pbx_plugin.sandbox.phone import Phone, PhoneError
from pbx_plugin.sandbox.site import Site
from pbx_plugin.sandbox.site_control import LOCK, TROUBLES, SandboxError, alone, end_all, info_of, write_state
from pbx_plugin.sandbox.site_info import Info
from pbx_plugin.services.ports import StoreUnavailableError

FOLDER = Path(".sandbox/demo")
WIDTH = 100
AGENTS_WITHIN_S = 20.0
PROGRAM = Path(sys.executable).with_name("pbx-plugin")
CALLS = (
    ("Clara consents; the agent switches recording off and on", CLARA, calls.consent_given),
    ("Rosa refuses, and nothing of her is kept", ROSA, calls.consent_refused),
    ("David calls Oda, who records on demand", DAVID, calls.on_demand),
)


class StopAskedError(BaseException):
    """A signal asked for the end; ``number`` is the signal's."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


class Demo:
    """One run."""

    def __init__(self, console: Console, folder: Path, *, keep: bool) -> None:
        self._console = console
        self._folder = folder
        self._keep = keep
        self._began = time.monotonic()
        self._step, self._step_began = "", self._began

    def run(self) -> int:
        """Play the calls, show them, and return the exit code."""
        with alone(self._folder), ExitStack() as ends:
            ends.callback(end_all, self._folder)
            self._clear()
            with self._console.status("getting ready"):
                self._say("a free place on the loopback")
                site = Site(self._folder, detached=self._keep)
                ends.callback(site.stop)
                site.start(self._say)
                phones = self._phones(site, ends)
            watch = ends.enter_context(Watch(site.settings, self._tell))
            ends.callback(_heed, signal.SIG_IGN)  # a second Ctrl-C must not keep the end from its work
            self._play(calls.Scene(phones, self._tell, watch))
            good = self._show(site, watch.calls(), watch.queries.names(watch.tenant))
            if good and self._keep:
                for phone in phones.values():
                    phone.close()
                self._leave_up(site)
                ends.pop_all()
        return 0 if good else 1

    def _phones(self, site: Site, ends: ExitStack) -> dict[str, Phone]:
        self._say(f"phones for {len(EVERYBODY)} people")
        voices = self._folder / "voices"
        voices.mkdir(mode=0o750)
        phones = {person.name: ends.enter_context(start_phone(site, person, voices)) for person in EVERYBODY}
        self._said()
        return phones

    def _play(self, scene: calls.Scene) -> None:
        for number, (title, _person, play) in enumerate(CALLS, 1):
            self._console.print()
            self._console.print(Text(f"Call {number}: {title}", "bold blue"))
            with self._console.status("on the telephone"):
                play(scene)

    def _show(self, site: Site, told: list[CallDetail], names: dict[str, str]) -> bool:
        if len(told) != len(CALLS):
            raise FactMissingError(f"{len(CALLS)} calls were made, and {len(told)} are in the books")
        links = self._links(site, told)
        show = Show(self._console, site.settings, names)
        for number, ((title, _person, _play), call) in enumerate(zip(CALLS, told, strict=True), 1):
            show.call(number, title, call, links)
        with self._console.status("listening to every file on disk"):
            claims = check(Evidence(tuple(told), site.settings, site.sound_folders))
        show.claims(claims)
        self._console.print(Text(f"To listen: {self._relative(self._folder)}/*.wav", "bold"))
        self._console.print(Text("Left is the company's user, right the caller. The next demonstration replaces them."))
        if broken := [claim for claim in claims if claim.problem]:
            self._console.print(Text(f"FAILED: {len(broken)} of {len(claims)} claims are not so.", "bold red"))
        return not broken

    def _links(self, site: Site, told: list[CallDetail]) -> dict[str, Path]:
        """Give each recording a name that a person finds: in the archive names tell nothing."""
        links = {}
        for number, ((_title, person, _play), call) in enumerate(zip(CALLS, told, strict=True), 1):
            for part, one in enumerate((one for one in call.recordings if one.path), 1):
                link = self._folder / f"call-{number}-{person.first_name.lower()}-part-{part}.wav"
                link.symlink_to((site.archive / one.path).relative_to(self._folder))
                links[one.recording_id] = self._relative(link)
        return links

    # What is left up

    def _leave_up(self, site: Site) -> None:
        """Let agents answer from now on, and say how to call them."""
        info = info_of(site)
        write_state(self._folder, info)
        log = self._folder / "agents.log"
        with os.fdopen(os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o640), "wb") as file:
            agents = subprocess.Popen(
                agents_command(site.config_path),
                stdin=subprocess.DEVNULL, stdout=file, stderr=file, start_new_session=True,
            )  # fmt: skip
        until = time.monotonic() + AGENTS_WITHIN_S
        while READY not in log.read_text():
            if agents.poll() is not None or time.monotonic() > until:
                raise SandboxError(f"the agents did not get ready:\n{log.read_text()}")
            time.sleep(0.1)
        invited = open_portal(site)
        self._console.print()
        self._console.print(_how_to_call(info, self._relative(self._folder), self._relative(PROGRAM)))
        self._console.print(_how_to_look(site.settings.portal.port, invited))

    # Speaking

    def _say(self, step: str) -> None:
        """Tell that a step of the setting-up begins, and with it that the one before is done."""
        self._said()
        self._step, self._step_began = step, time.monotonic()

    def _said(self) -> None:
        if self._step:
            took = time.monotonic() - self._step_began
            self._console.print(Text.assemble(("  ✓ ", "green"), self._step, (f"  {took:.1f} s", "dim")))
        self._step = ""

    def _tell(self, who: str, what: str, style: str = "") -> None:
        after = time.monotonic() - self._began
        self._console.print(Text.assemble((f"{after:6.1f} s  ", "dim"), (f"{who:<15}  ", "bold"), (what, style)))

    def _relative(self, path: Path) -> Path:
        here = Path.cwd()
        return path.relative_to(here) if path.is_relative_to(here) else path

    def _clear(self) -> None:
        """Take away what an earlier demonstration left, running or lying. Nothing else is ever taken away."""
        if end_all(self._folder, lambda line: self._console.print(Text(f"  {line} of the last demonstration", "dim"))):
            time.sleep(0.1)
        old = [path for path in self._folder.iterdir() if path.name != LOCK]
        if old and not (self._folder / "config.toml").exists():
            raise SandboxError(f"{self._folder} is not empty, and no demonstration's: move it away first")
        for path in old:
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink()


def main() -> int:
    """Run the demonstration; what went wrong is one clear text on stderr."""
    _heed(_stop)
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # a terminal that lacks a sign of the pictures shows another
    terminal = sys.stdout.isatty()
    console = Console(width=None if terminal else WIDTH, highlight=False, emoji=False, markup=False)
    errors = Console(stderr=True, highlight=False, emoji=False, markup=False, soft_wrap=True)
    folder = FOLDER.absolute()
    keep = os.environ.get("KEEP", "") not in ("", "0")
    try:
        console.print(_welcome())
        return Demo(console, folder, keep=keep).run()
    except StopAskedError as stop:
        errors.print("\nStopped: everything that was started has ended.", style="yellow")
        return 128 + stop.number
    except (*TROUBLES, SandboxError, PhoneError, FactMissingError, StoreUnavailableError) as error:
        errors.print(f"\nThe demonstration failed: {error}", style="bold red")
        errors.print(f"What was said meanwhile: {folder}/recorder.log, {folder}/agi.log, {folder}/pbx/log/full")
        return 1


def _welcome() -> Panel:
    text = Text.assemble(
        ("From ring to recording", "bold"),
        "\nThree SIP calls through a real Asterisk, on this machine alone: one caller consents, one refuses, "
        "one calls a user who records on demand. Callers play a bright marimba, the company's users a low reed. "
        "It takes about a minute.",
    )
    return Panel(text, border_style="blue", padding=(0, 2))


def _how_to_call(info: Info, folder: Path, program: Path) -> Panel:
    """Say how a person with a soft phone on this machine takes part."""
    sip, caller = info["sip"], info["outside_callers"][0]
    user = next(phone for phone in info["phones"] if phone["extension"] not in AGENTS and phone["mode"] == "on demand")
    consent = info["numbers"]["consent"][0]
    answering = ", ".join(f"{number} ({name})" for number, name in AGENTS.items())
    lines = [
        ("Server", f"{sip['host']}:{sip['port']}, UDP; a soft phone on this machine"),
        ("Be a caller", f"user {caller['username']}, password {caller['password']}"),
        ("and dial", f"{consent['ddi']} (press 1 or 2), or {info['phones'][0]['ddi']} (always recorded)"),
        ("Be a user", f"user {user['username']}, password {user['password']}; *4 switches recording"),
        ("and dial", f"{answering}, or {consent['number']}"),
        ("See calls", f"export PBX_PLUGIN_CONFIG={info['cli']['config']}"),
        *(("", f"{program} {words}") for words in ("calls list", "explain CALL", "recordings list")),
        ("End it", f"{program} sandbox down --dir {folder}"),
    ]
    table = Table.grid(padding=(0, 2))
    table.add_column(style="dim", justify="right")
    table.add_column(overflow="fold")
    for name, words in lines:
        table.add_row(name, Text(words))
    return Panel(table, title="It is left up: call in yourself", title_align="left", border_style="green")


def _how_to_look(port: int, invited: list[Invited]) -> Panel:
    """Say how a person sees the calls in a browser on this machine."""
    table = Table.grid(padding=(0, 2))
    table.add_column(style="dim", justify="right")
    table.add_column(overflow="fold")
    table.add_row("Portal", Text(f"http://127.0.0.1:{port}"))
    for one in invited:
        table.add_row(one.role.value, Text(f"{one.email}, by this link, once: it asks for a password of yours"))
        table.add_row("", Text(one.link))
    return Panel(table, title="See and hear these calls in a browser", title_align="left", border_style="green")


def _stop(number: int, frame: FrameType | None) -> None:
    del frame
    _heed(signal.SIG_IGN)
    raise StopAskedError(number)


def _heed(handler: Callable[[int, FrameType | None], None] | signal.Handlers) -> None:
    # Set outright: started in the background of a script, Python would find interrupts ignored.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, handler)


if __name__ == "__main__":
    sys.exit(main())
