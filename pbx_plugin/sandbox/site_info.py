"""What a program outside needs to call into a sandbox, press keys and read results, as plain data.

Keys are stable: they are only ever added to. Everything is on the loopback of this machine; all secrets were made up
for this one sandbox.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from pbx_plugin.domain.policy import DEFAULT_EMERGENCY_NUMBERS
from pbx_plugin.sandbox.site_config import OUTSIDE_ACCOUNTS, TRUNK_HOST, Ports, Secrets
from pbx_plugin.sandbox.site_people import (
    COMPANY,
    CONSENT,
    CONSENT_NUMBERS,
    COUNTRY,
    HUNTS,
    RESIDENTS,
    WHITELISTED_DDI,
    WHITELISTED_USER,
    Resident,
    ddi_of,
)
from pbx_plugin.settings import CONFIG_VARIABLE, Settings

Info = dict[str, Any]

FORMAT = 1
HOST = "127.0.0.1"
OUTSIDE_EXAMPLE = "+4531200118"
"""Somebody outside, to be dialled by a user, or to call from."""

KEY_YES, KEY_NO = "1", "2"


@dataclass(frozen=True, slots=True)
class Facts:
    """What is different in each sandbox. ``pids`` are by name: asterisk, recorder, agi, bridge."""

    folder: Path
    config: Path
    settings: Settings
    ports: Ports
    secrets: Secrets
    rtp_ports: tuple[int, int]
    asterisk_version: str
    pids: Mapping[str, int]
    logs: Mapping[str, Path]


def describe(facts: Facts) -> Info:
    """Return everything about a sandbox that is up, ready for JSON. Holds its passwords."""
    settings = facts.settings
    return {
        "format": FORMAT,
        "up": True,
        "folder": str(facts.folder),
        "versions": {
            "pbx_plugin": version("pbx-plugin"),
            "asterisk": facts.asterisk_version,
            "python": ".".join(map(str, sys.version_info[:3])),
        },
        "sip": {
            "host": HOST,
            "port": facts.ports.sip,
            "transport": "udp",
            "codecs": ["alaw", "ulaw", "g722", "gsm"],
            "dtmf": ["rfc4733", "info"],
            "rtp_first": facts.rtp_ports[0],
            "rtp_last": facts.rtp_ports[1],
        },
        "phones": [_phone(one, facts) for one in RESIDENTS],
        "outside_callers": [_outside(name, facts) for name in OUTSIDE_ACCOUNTS],
        "trunk": {
            "about": "outgoing calls arrive at host:port; whoever calls sip.host:sip.port from this host is believed",
            "host": TRUNK_HOST,
            "port": facts.ports.trunk,
            "transport": "udp",
            "calls_in_from": TRUNK_HOST,
            "authenticated": False,
        },
        "ari": {
            "url": f"http://{settings.ari.host}:{settings.ari.port}/ari",
            "host": settings.ari.host,
            "port": settings.ari.port,
            "user": settings.ari.user,
            "password": facts.secrets.ari,
            "app": settings.ari.app,
        },
        "ami": {
            "host": settings.ami.host,
            "port": settings.ami.port,
            "user": settings.ami.user,
            "secret": facts.secrets.ami,
        },
        "agi": {"host": settings.agi.host, "port": settings.agi.port},
        "company": {"name": COMPANY, "country": COUNTRY},
        "numbers": _numbers(),
        "toggle_code": f"*{settings.dialplan.toggle_digit}",
        "pause_code": f"*{settings.dialplan.pause_digit}",
        "withdraw_code": f"*{settings.dialplan.withdraw_digit}",
        "cli": {
            "argv": [sys.executable, "-m", "pbx_plugin.cli.main"],
            "config": str(facts.config),
            "environment": {CONFIG_VARIABLE: str(facts.config)},
        },
        "paths": {
            "spool": str(settings.paths.spool),
            "archive": str(settings.paths.archive),
            "state": str(settings.paths.state),
            "journal": str(settings.paths.journal),
            "prompts": str(settings.paths.prompts),
            "asterisk_etc": str(settings.paths.asterisk_etc),
            "asterisk_spool": str(settings.paths.spool.parent),
        },
        "database": settings.database,
        "logs": {name: str(path) for name, path in facts.logs.items()},
        "pids": dict(facts.pids),
    }


def _phone(one: Resident, facts: Facts) -> Info:
    return {
        "extension": one.extension,
        "name": one.name,
        "mode": one.mode.value,
        "enrolled": one.enrolled,
        "ddi": ddi_of(one.extension),
        **_account(one.extension, facts),
    }


def _outside(name: str, facts: Facts) -> Info:
    return {"about": "may put any number into From, with or without registering", **_account(name, facts)}


def _account(user: str, facts: Facts) -> Info:
    uri = f"sip:{user}@{HOST}:{facts.ports.sip}"
    return {"username": user, "password": facts.secrets.phones, "uri": uri}


def _numbers() -> Info:
    return {
        "users": {
            "always": _users("always"),
            "on_demand": _users("on demand"),
            "never": _users("never"),
            "not_enrolled": [_user(one) for one in RESIDENTS if not one.enrolled],
        },
        "consent": [
            {
                "number": number,
                "ddi": ddi_of(number),
                "language": language,
                "keys": {"yes": KEY_YES, "no": KEY_NO},
                "yes_group": yes,
                "no_group": no,
            }
            for number, (yes, no, language) in CONSENT_NUMBERS.items()
        ],
        "groups": [
            {
                "number": hunt.number,
                "ddi": ddi_of(hunt.number),
                "name": hunt.name,
                "kind": hunt.kind.value,
                "policy": hunt.policy,
                "recorded": hunt.policy == CONSENT,
                "bridged": hunt.bridging.on,
                "members": list(hunt.members),
            }
            for hunt in HUNTS
        ],
        "whitelisted_ddi": {"ddi": WHITELISTED_DDI, "leads_to": WHITELISTED_USER},
        "emergency": list(DEFAULT_EMERGENCY_NUMBERS),
        "outside_example": OUTSIDE_EXAMPLE,
    }


def _users(mode: str) -> list[Info]:
    return [_user(one) for one in RESIDENTS if one.enrolled and one.mode.value == mode]


def _user(one: Resident) -> Info:
    return {"extension": one.extension, "ddi": ddi_of(one.extension)}
