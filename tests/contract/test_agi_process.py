"""The scripts of agi-bin as Asterisk starts them: one process a call, a real database and journal behind it."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from agi_asterisk import HANGS_UP, SpokenAsterisk, words
from sqlalchemy import select

from pbx_plugin.asterisk.variables import AGI_CONSENT, AGI_TOGGLE
from pbx_plugin.bootstrap import build_rulebook_source, drain_journals
from pbx_plugin.clock import now
from pbx_plugin.db.directory import change_directory
from pbx_plugin.db.engine import make_engine, reading
from pbx_plugin.db.migrate import upgrade
from pbx_plugin.db.models import ConsentRow
from pbx_plugin.domain.policy import GroupKind
from pbx_plugin.domain.rulebook import Tenant
from pbx_plugin.prompts.build import build_prompts
from pbx_plugin.prompts.texts import load_texts
from pbx_plugin.resources import resource_dir
from pbx_plugin.services import groups, numbers_service
from pbx_plugin.services.audit import Desk
from pbx_plugin.services.numbers_service import ConsentWish
from pbx_plugin.settings import load_settings

NOWHERE = ("127.0.0.1", 1)


@dataclass
class Machine:
    """An installation in a folder: configuration, database with one consent number, prompts."""

    folder: Path
    number: str = ""
    environment: dict[str, str] = field(default_factory=dict)

    def run(self, script: str, *caller: str, number: str | None = None) -> tuple[int, SpokenAsterisk]:
        argument = self.number if number is None else number
        asterisk = SpokenAsterisk(NOWHERE, script, argument, caller=caller, variables={"PBXREC_CONSENT": "required"})
        program = str(resource_dir("agi-bin") / f"pbxrec-{script}")
        return asterisk.run_process([program, argument], self.environment), asterisk

    def consents(self) -> list[tuple[str, str]]:
        engine = make_engine(self.url)
        try:
            with reading(engine) as session:
                rows = session.scalars(select(ConsentRow).order_by(ConsentRow.asked_at))
                return [(row.outcome, row.digits) for row in rows]
        finally:
            engine.dispose()

    @property
    def url(self) -> str:
        return f"sqlite:///{self.folder}/state/pbx-plugin.sqlite"

    @property
    def config(self) -> Path:
        return self.folder / "config.toml"


def machine(folder: Path) -> Machine:
    """Return an installation without a database."""
    (folder / "state").mkdir()
    made = Machine(folder)
    made.config.write_text(f'database = "{made.url}"\n[paths]\nstate = "{folder}/state"\n', encoding="utf-8")
    made.environment = {
        "PATH": os.environ["PATH"],
        "PBX_PLUGIN_CONFIG": str(made.config),
        "PBX_PLUGIN_PYTHON": sys.executable,
    }
    return made


@pytest.fixture
def installed(tmp_path: Path) -> Machine:
    made = machine(tmp_path)
    upgrade(made.url)
    ids: Callable[[], str] = iter(f"id-{count}" for count in range(1000)).__next__
    tenant = Tenant(ids(), "Acme", "DK", "en")
    engine = make_engine(made.url)
    with change_directory(engine) as directory:
        directory.save_tenant(tenant)
        desk = Desk(directory, tenant, "test", now(), ids)
        for name, number in (("yes", "601"), ("no", "602")):
            groups.add(desk, name, number, GroupKind.RING_GROUP, ())
        numbers_service.add_consent(desk, ConsentWish(number="701", yes="601", no="602", language="en"))
    engine.dispose()
    settings = load_settings(made.config)
    rulebook = build_rulebook_source(settings).load()
    build_prompts(settings.paths.prompts, rulebook, load_texts(resource_dir("ivr_prompts")))
    made.number = rulebook.consent_numbers[0].id
    return made


def test_the_star_code_as_a_process_needs_nothing_but_itself(tmp_path: Path) -> None:
    status, asterisk = machine(tmp_path).run(AGI_TOGGLE)

    assert status == 0
    logged, told = asterisk.timeline
    assert words(str(logged))[1] == "CELGenUserEvent"
    assert words(str(told))[2] == "PBXRecToggle,uniqueid: 1760000000.7"


def test_the_star_code_waits_for_no_library_that_it_does_not_use() -> None:
    heavy = ("sqlalchemy", "pydantic", "structlog", "numpy", "asyncio")
    asked = f"import sys, pbx_plugin.agi.process; sys.exit(' '.join(set(sys.modules) & set({heavy})))"

    done = subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True, check=False)

    assert done.stderr.strip() == ""


def test_consent_as_a_process_is_written_down_and_given(installed: Machine) -> None:
    status, asterisk = installed.run(AGI_CONSENT, "9", "1")

    assert status == 0
    assert asterisk.variables["PBXREC_CONSENT"] == "given"
    assert asterisk.variables["PBXREC_ROUTE"] == "yes"
    assert installed.consents() == [("given", "91")]


@pytest.mark.wide
def test_a_caller_who_hangs_up_on_the_process_is_written_down(installed: Machine) -> None:
    status, asterisk = installed.run(AGI_CONSENT, "9", HANGS_UP)

    assert status == 0
    assert asterisk.variables["PBXREC_ROUTE"] == "no"
    assert installed.consents() == [("hung up", "9")]


@pytest.mark.wide
def test_what_a_locked_database_did_not_take_is_brought_in_later(installed: Machine) -> None:
    other = sqlite3.connect(installed.url.removeprefix("sqlite:///"), isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    try:
        status, asterisk = installed.run(AGI_CONSENT, "2")
    finally:
        other.execute("ROLLBACK")
        other.close()

    assert status == 0
    assert asterisk.variables["PBXREC_CONSENT"] == "refused"
    assert installed.consents() == []
    assert drain_journals(load_settings(installed.config)) == 1
    assert installed.consents() == [("refused", "2")]


def test_without_a_database_nobody_is_asked_and_the_call_goes_on(tmp_path: Path) -> None:
    status, asterisk = machine(tmp_path).run(AGI_CONSENT, number="n1")

    assert status == 0
    assert asterisk.played == []
    assert (asterisk.variables["PBXREC_CONSENT"], asterisk.variables["PBXREC_ROUTE"]) == ("required", "no")


def test_what_a_caller_calls_themselves_steers_no_terminal_by_the_process_s_log() -> None:
    hostile = "\x1b[2J\x07\n+45 \u202e1\u2028pbxrec: all is well"
    script = (
        "import sys, io; from pbx_plugin.agi import process\n"
        "class Session:\n"
        "    def __init__(self, *_): self.verbose = lambda text: None\n"
        "process.AgiSession = Session\n"
        "def broken(*_): raise ValueError(sys.argv[1])\n"
        "process.run = broken\n"
        "process.main(['consent'])"
    )
    done = subprocess.run([sys.executable, "-c", script, hostile], capture_output=True, text=True, check=True)
    assert done.stderr == "pbxrec: ValueError: ?[2J??+45 ?1?pbxrec: all is well\n"


def test_the_process_logs_one_harmless_line_for_each_thing_that_it_tells(
    installed: Machine, capfd: pytest.CaptureFixture[str]
) -> None:
    status, asterisk = installed.run(AGI_CONSENT, number="\x1b[2Jn1")
    told = [json.loads(line) for line in capfd.readouterr().err.splitlines()]
    assert (status, asterisk.variables["PBXREC_ROUTE"]) == (0, "no")
    assert [line["number"] for line in told if line["event"] == "consent.not_asked"] == ["\x1b[2Jn1"]


def test_a_broken_configuration_is_told_to_asterisk_and_the_call_goes_on(tmp_path: Path) -> None:
    broken = machine(tmp_path)
    broken.config.write_text("[agi]\nport = 'none'\n", encoding="utf-8")

    status, asterisk = broken.run(AGI_CONSENT, number="n1")

    assert status == 0
    assert asterisk.variables["PBXREC_CONSENT"] == "required"
    assert words(str(asterisk.timeline[-1]))[0] == "VERBOSE"
    assert "agi.port" in str(asterisk.timeline[-1])
