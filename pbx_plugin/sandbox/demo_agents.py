"""The agents of a demonstration that was left up: phones that answer, until the sandbox is taken down.

python -m pbx_plugin.sandbox.demo_agents --config FILE agents
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
import threading
from contextlib import ExitStack
from pathlib import Path

from pbx_plugin.sandbox.phone import Phone
from pbx_plugin.sandbox.signals import EVENING, write_melody

STATE = "sandbox.json"
READY = "the agents answer"
ANSWERED_AFTER_MS = 1500
AGENTS = {"231": "Rikke Ring", "233": "Sara Silent", "211": "Oda On-Demand", "201": "Anna Always", "221": "Nina Never"}
"""Who answers: one of the recorded group, one of the unrecorded group, and one user of each mode."""


def agents_command(config: Path) -> list[str]:
    """Return the command line, by which the process is known again."""
    return [sys.executable, "-m", "pbx_plugin.sandbox.demo_agents", "--config", str(config), "agents"]


def main(argv: list[str] | None = None) -> int:
    """Register the agents' phones and let them answer until a signal ends this process and them."""
    parser = argparse.ArgumentParser(prog="demo_agents", description=__doc__)
    parser.add_argument("--config", required=True, type=Path)
    parser.add_argument("what", choices=["agents"])
    folder: Path = parser.parse_args(argv).config.parent
    info = json.loads((folder / STATE).read_text())
    server = f"{info['sip']['host']}:{info['sip']['port']}"
    passwords = {phone["extension"]: phone["password"] for phone in info["phones"]}
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    tune = write_melody(folder / "voices" / "agents.wav", EVENING)
    with ExitStack() as phones:
        for extension in AGENTS:
            phone = Phone.start(extension, server=server, register=True, password=passwords[extension], signal=tune)
            phones.enter_context(phone)
            phone.auto_answer(ANSWERED_AFTER_MS)
        sys.stdout.write(READY + "\n")
        sys.stdout.flush()
        while not stopping.wait(1.0):
            continue
    return 0


if __name__ == "__main__":
    sys.exit(main())
