"""What the tests of bridged groups share: setting the group, its phones, seeing that a call is in our own bridge."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time

from stage import Stage

from pbx_plugin.db.views import CallDetail
from pbx_plugin.domain.hunt_state import LEG_PREFIX
from pbx_plugin.sandbox.phone import Leg, Phone
from pbx_plugin.settings import CONFIG_VARIABLE

IN_FORCE_S = 1.5
"""The bridge looks for changed groups once a second."""

USUAL = "--strategy ring-all --ring-seconds 8 --wait-seconds 30 --wrap-up-seconds 0 --ringing"


def set_group(stage: Stage, options: str) -> None:
    """Change group 606, and wait until that is in force."""
    done = subprocess.run(
        [sys.executable, "-m", "pbx_plugin.cli.main", "groups", "set", "606", *options.split(), "--json"],
        env={**os.environ, CONFIG_VARIABLE: str(stage.site.config_path)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["bridged"]
    time.sleep(IN_FORCE_S)


def agents(stage: Stage, *extensions: str) -> list[Phone]:
    """The phones of a group's users, which ring until told otherwise; earlier calls are forgotten."""
    phones = [stage.phone(extension, answers=False) for extension in extensions]
    for phone in phones:
        phone.disregard_incoming()
    return phones


def bridged_by_us(call: CallDetail) -> bool:
    """Whether the parties met in a bridge of ours, and in no other."""
    met = {step.detail for step in call.timeline if step.what == "joined"}
    return bool(met) and all(bridge.startswith(LEG_PREFIX) for bridge in met)


def times_rung(phone: Phone) -> int:
    """How often a phone has been called."""
    return sum(event.name == "incoming" for event in phone.journal.events())


def digits_heard(leg: Leg) -> str:
    """The keys that a phone heard from the other side."""
    return "".join(event["digit"] for event in leg.events if event.name == "dtmf")
