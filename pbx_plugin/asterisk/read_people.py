"""Users and queues as a plain Asterisk knows them: ``pjsip.conf`` and ``queues.conf`` as tables to import."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pbx_plugin.asterisk.read_config import ConfigFile, Section, read_config
from pbx_plugin.domain.numbers import parse_number
from pbx_plugin.services.csv_table import Table, TableRow, joined

PJSIP_KEYS = ("type", "callerid", "mailboxes", "language", "outbound_auth", "endpoint")
QUEUE_KEYS = ("member",)

_INTERNAL = re.compile(r"[0-9]{2,10}")
_DEVICE_NAME = re.compile(r"[A-Za-z0-9_.-]{1,64}")
_CALLER = re.compile(r'\s*(?:"((?:[^"\\]|\\.)*)"|([^<"]*?))\s*<([^<>]*)>\s*')
_LANGUAGE = re.compile(r"[a-z]{2}(-[A-Z]{2})?")
_MEMBER = re.compile(r"(PJSIP|Local)/([A-Za-z0-9_.-]+)", re.IGNORECASE)


@dataclass(slots=True)
class PbxTables:
    """What was found: a table to import, and remarks about what was left out and why."""

    table: Table
    remarks: list[str] = field(default_factory=list)


@dataclass(slots=True)
class _Found:
    line: int
    name: str
    devices: list[str]
    language: str


def users_of_pjsip(path: Path, country: str) -> PbxTables:
    """Return the endpoints that look like users' phones, by extension, with name, devices and language.

    The extension is the endpoint's name, else its mailbox, else the number of ``callerid``; the first that is an
    internal number (2 to 10 digits, and no public number of ``country``). Endpoints of one extension are one user's
    devices. Trunks (those that log in elsewhere, are told by an address, or register) and endpoints without an internal
    number are left out with a remark. Raises ConfigFileError.
    """
    config = read_config(path, PJSIP_KEYS)
    trunks = _trunks(config)
    found: dict[str, _Found] = {}
    remarks = list(config.remarks)
    for section in config.sections:
        if section.template or section.last("type").casefold() != "endpoint":
            continue
        where = f"{section.file}, line {section.line}: endpoint {section.name!r}"
        name, number = _caller(section.last("callerid"))
        extension = _extension(section, number, country)
        if section.name in trunks:
            remarks.append(f"{where} is a trunk: left out")
        elif not extension:
            remarks.append(f"{where} has no internal number: left out")
        elif not _DEVICE_NAME.fullmatch(section.name):
            remarks.append(f"{where} has a name that cannot be dialled: left out")
        else:
            language = section.last("language")
            language = language if _LANGUAGE.fullmatch(language) else ""
            one = found.setdefault(extension, _Found(section.line, "", [], ""))
            one.devices.append(f"PJSIP/{section.name}")
            # A name before somebody else's number is the company's, not the user's.
            one.name = one.name or (name if number in ("", extension) else "")
            one.language = one.language or language
    rows = [
        TableRow(
            one.line,
            {
                "extension": extension,
                "devices": joined(sorted(one.devices)),
                **({"name": one.name} if one.name else {}),
                **({"language": one.language} if one.language else {}),
            },
        )
        for extension, one in found.items()
    ]
    return PbxTables(Table(path.name, frozenset({"extension", "name", "devices", "language"}), rows), remarks)


def queues_of(
    path: Path, numbers: Mapping[str, str], devices: Mapping[str, str], known: Mapping[str, str]
) -> PbxTables:
    """Return the queues with their members, in ringing order.

    ``numbers`` says on which number a queue is dialled, which its file does not; a queue that is there already
    (``known``: number by name) needs none, and one whose name is an internal number is dialled by it. ``devices``
    gives the extension of an endpoint. Members that are nobody are left out with a remark. Raises ConfigFileError.
    """
    config = read_config(path, QUEUE_KEYS)
    remarks = list(config.remarks)
    rows = []
    for section in config.sections:
        if section.template or section.name.casefold() == "general":
            continue
        where = f"{section.file}, line {section.line}: queue {section.name!r}"
        number = numbers.get(section.name) or known.get(section.name) or _own_number(section.name)
        if not number:
            remarks.append(f"{where} has no number: say --queue-number {section.name}=NUMBER; left out")
            continue
        members = []
        for value in section.all("member"):
            extension = _member(value, devices)
            if not extension:
                remarks.append(f"{where} has a member that is no user: left out")
            elif extension not in members:
                members.append(extension)
        rows.append(TableRow(section.line, {"name": section.name, "number": number, "members": joined(members)}))
    return PbxTables(Table(path.name, frozenset({"name", "number", "members"}), rows), remarks)


def _trunks(config: ConfigFile) -> set[str]:
    trunks: set[str] = set()
    for section in config.sections:
        kind = section.last("type").casefold()
        if kind in ("identify", "registration"):
            trunks.add(section.last("endpoint") or section.name)
        elif kind == "endpoint" and section.last("outbound_auth"):
            trunks.add(section.name)
    return trunks


def _caller(text: str) -> tuple[str, str]:
    found = _CALLER.fullmatch(text)
    if found is None:
        return ("", text) if _INTERNAL.fullmatch(text) else (text.strip().strip('"'), "")
    quoted, plain, number = found.groups()
    name = re.sub(r"\\(.)", r"\1", quoted) if quoted is not None else plain or ""
    return name.strip(), number.strip()


def _extension(section: Section, number: str, country: str) -> str:
    mailbox = section.last("mailboxes").partition(",")[0].partition("@")[0].strip()
    for candidate in (section.name, mailbox, number):
        # A public number is the company's, shown to those who are called; many phones may share it.
        if _INTERNAL.fullmatch(candidate) and not parse_number(candidate, country).e164:
            return candidate
    return ""


def _member(value: str, devices: Mapping[str, str]) -> str:
    interface = value.partition(",")[0].strip()
    found = _MEMBER.match(interface)
    if found is None:
        return ""
    kind, name = found.groups()
    if kind.casefold() == "local":
        return name if _INTERNAL.fullmatch(name) and name in devices.values() else ""
    return devices.get(f"PJSIP/{name}", "")


def _own_number(name: str) -> str:
    return name if _INTERNAL.fullmatch(name) else ""
