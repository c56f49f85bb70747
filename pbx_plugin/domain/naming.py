"""Names of sound files: made here, read here, nowhere else.

In Asterisk's spool and in our archive a name is opaque: ids and a date, never a person or a phone number, so that a
directory listing, a backup log or an error message gives nobody away. Only a download is named for people.

All names are relative, with ``/`` between folders. Dates are those of the segment's intent, in UTC, so that a name
never depends on where the machine stands or on summer time.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from datetime import UTC, date, datetime
from enum import StrEnum

SPOOL_FOLDER = "pbxrec"
"""Our folder inside Asterisk's recording folder; whatever lies beside it is not ours."""

_UUID = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
_DAY = r"(?P<year>[0-9]{4})/(?P<month>[0-9]{2})/(?P<day>[0-9]{2})"
_ID = re.compile(_UUID)
_SPOOL = re.compile(rf"{SPOOL_FOLDER}/{_DAY}/(?P<media>{_UUID})-(?P<sense>in|out)(?:\.wav)?")
_ARCHIVE = re.compile(
    rf"(?P<tenant>{_UUID})/{_DAY}/(?:(?P<media>{_UUID})(?P<what>\.wav|\.peaks\.json)"
    rf"|\.(?P<part_media>{_UUID})(?P<part_what>\.wav|\.peaks\.json)\.part)"
)


class Sense(StrEnum):
    """Which way a sound goes, seen from the leg that is listened to: from its party, or to it."""

    IN = "in"
    OUT = "out"


class Holding(StrEnum):
    """What a file of the archive holds."""

    AUDIO = ".wav"
    PEAKS = ".peaks.json"


@dataclass(frozen=True, slots=True)
class SpoolName:
    """What a file name in Asterisk's spool says."""

    media_id: str
    day: date
    sense: Sense


@dataclass(frozen=True, slots=True)
class ArchiveName:
    """What a file name in the archive says; ``part`` marks a file that was not finished."""

    tenant_id: str
    media_id: str
    day: date
    holding: Holding
    part: bool


def spool_name(media_id: str, intended_at: datetime, sense: Sense) -> str:
    """Return the recording name for Asterisk: relative to its recording folder, without extension.

    Raises ValueError unless ``media_id`` is a UUID in its usual small-letter form and ``intended_at`` is aware.
    """
    return f"{SPOOL_FOLDER}/{_folder(intended_at)}/{_checked(media_id, 'media')}-{sense.value}"


def spool_file(name: str) -> str:
    """Return the file that Asterisk writes for a recording name: it appends ``.wav``.

    Raises ValueError when the name is not one of ours, so that a name read from elsewhere cannot lead out of the spool.
    """
    if name.endswith(".wav") or parse_spool(name) is None:
        raise ValueError(f"not a spool name of ours: {name!r}")
    return name + ".wav"


def parse_spool(path: str) -> SpoolName | None:
    """Read a name (with or without ``.wav``) relative to Asterisk's recording folder; None when it is not ours."""
    found = _SPOOL.fullmatch(path)
    day = _day(found) if found else None
    if found is None or day is None:
        return None
    return SpoolName(found["media"], day, Sense(found["sense"]))


def archive_file(tenant_id: str, media_id: str, intended_at: datetime, holding: Holding) -> str:
    """Return the final name relative to the archive. A file of this name is complete.

    Raises ValueError unless both ids are UUIDs in their usual small-letter form and ``intended_at`` is aware.
    """
    tenant, media = _checked(tenant_id, "tenant"), _checked(media_id, "media")
    return f"{tenant}/{_folder(intended_at)}/{media}{holding.value}"


def part_file(final: str) -> str:
    """Return the hidden name, in the same folder, under which the archive file ``final`` is written.

    Raises ValueError when ``final`` is not a final archive name.
    """
    named = parse_archive(final)
    if named is None or named.part:
        raise ValueError(f"not a final archive name: {final!r}")
    folder, _, name = final.rpartition("/")
    return f"{folder}/.{name}.part"


def parse_archive(path: str) -> ArchiveName | None:
    """Read a file name relative to the archive, finished or not; None when it is not ours."""
    found = _ARCHIVE.fullmatch(path)
    day = _day(found) if found else None
    if found is None or day is None:
        return None
    part = found["media"] is None
    media, what = (found["part_media"], found["part_what"]) if part else (found["media"], found["what"])
    return ArchiveName(found["tenant"], media, day, Holding(what), part)


def media_of(path: str) -> str | None:
    """Return the media id that a spool or archive name tells, None when the name is foreign."""
    named = parse_spool(path) or parse_archive(path)
    return named.media_id if named else None


_USER_BYTES = 90
_NUMBER_BYTES = 40
_SUFFIX = re.compile(r"[a-z0-9]{1,5}")


def download_name(at: datetime, user: str, other: str, dialled: str, suffix: str = "wav") -> str:
    """Return a name for people: date and time, user, other party's number, dialled number (product row R5).

    Exactly five pieces stand between underscores; one that is not known reads ``unknown``. ``at`` is printed in the
    zone it carries (hand it over in the listener's zone). Letters and digits of all languages stay; everything else
    becomes ``-``, so nothing that a caller sent can climb folders, hide, or be refused by Windows, macOS or Linux. At
    most 200 bytes long.

    Raises ValueError when ``at`` is naive or ``suffix`` is not one to five small letters or digits.
    """
    if at.tzinfo is None:
        raise ValueError("a download's time must carry its zone")
    if not _SUFFIX.fullmatch(suffix):
        raise ValueError(f"not a file suffix: {suffix!r}")
    day = f"{at.year:04d}-{at.month:02d}-{at.day:02d}_{at.hour:02d}-{at.minute:02d}-{at.second:02d}"
    pieces = (_harmless(user, _USER_BYTES), _harmless(other, _NUMBER_BYTES), _harmless(dialled, _NUMBER_BYTES))
    return "_".join((day, *pieces)) + f".{suffix}"


def _harmless(text: str, most_bytes: int) -> str:
    # NFC first: macOS hands out decomposed å, whose ring alone would be dropped as a mark.
    kept = "".join(c if c.isalnum() or c == "+" else "-" for c in unicodedata.normalize("NFC", text))
    words = "-".join(word for word in kept.split("-") if word)
    cut = words.encode()[:most_bytes].decode(errors="ignore").strip("-")
    return cut or "unknown"


def _checked(value: str, what: str) -> str:
    if not _ID.fullmatch(value):
        raise ValueError(f"not a {what} id: {value!r}")
    return value


def _folder(at: datetime) -> str:
    if at.tzinfo is None:
        raise ValueError("a segment's time must carry its zone")
    day = at.astimezone(UTC)
    return f"{day.year:04d}/{day.month:02d}/{day.day:02d}"


def _day(found: re.Match[str]) -> date | None:
    try:
        return date(int(found["year"]), int(found["month"]), int(found["day"]))
    except ValueError:
        return None
