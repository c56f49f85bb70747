"""The doctor's look at our own side: configuration, folders, disk, database, journal, files, prompts."""

from __future__ import annotations

import json
import os
import shutil
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path

from sqlalchemy import Engine, select
from sqlalchemy.exc import ArgumentError

from pbx_plugin.cli.check import Check, fail, ok, warn
from pbx_plugin.db.engine import make_engine, reading
from pbx_plugin.db.models import JournalMarkRow, MediaRow, MediaState
from pbx_plugin.db.rulebook import DatabaseRulebook
from pbx_plugin.domain.rulebook import Rulebook
from pbx_plugin.prompts.library import ManifestError, PromptLibrary, read_manifest
from pbx_plugin.prompts.texts import PromptTextError, load_texts
from pbx_plugin.resources import resource_dir
from pbx_plugin.services.numbers_service import leads_to
from pbx_plugin.services.ports import JournalError, StoreUnavailableError
from pbx_plugin.settings import Settings
from pbx_plugin.storage.archive import scan_archive, scan_spool
from pbx_plugin.storage.errors import StorageError
from pbx_plugin.storage.journal_segments import find_segments, journal_names, read_lines
from pbx_plugin.storage.mp3 import find_ffmpeg

MEGABYTE = 1_000_000
MANY_WAITING = 1000
_STARTABLE = (MediaState.STARTING, MediaState.RECORDING, MediaState.CLOSED)


def configuration(path: Path) -> Check:
    """Look at the configuration file's mode; that it can be read was seen before."""
    mode = stat.S_IMODE(path.stat().st_mode)
    if mode & 0o007:
        return fail(
            "configuration", f"{path} holds passwords and everybody may read it ({mode:o})", f"chmod 640 {path}"
        )
    if mode & 0o020:
        return warn("configuration", f"{path} may be changed by its group ({mode:o})", f"chmod 640 {path}")
    return ok("configuration", f"{path} ({mode:o})")


def folders(settings: Settings) -> Iterator[Check]:
    """Look whether we may write where we must, and nobody else may look in."""
    paths = settings.paths
    ours = {
        "state folder": paths.state,
        "archive": paths.archive,
        "journal": paths.journal,
        "prompts folder": paths.prompts,
    }
    for name, folder in ours.items():
        yield _folder(name, folder, private=True)
    yield _folder("spool", paths.spool, private=False)
    if paths.archive.is_dir() and paths.spool.is_dir():
        same = paths.archive.stat().st_dev == paths.spool.stat().st_dev
        where = "one file system" if same else "two file systems"
        yield ok("file systems", f"spool and archive lie on {where}")


def disk(settings: Settings) -> Iterator[Check]:
    """Look whether there is room for more recordings."""
    for name, folder in (("archive", settings.paths.archive), ("spool", settings.paths.spool)):
        try:
            usage = shutil.disk_usage(folder)
        except OSError as error:
            yield fail(f"disk of {name}", f"{folder}: {error.strerror}", "make the folder, see 'pbx-plugin init'")
            continue
        limits, mend = settings.recorder, f"make room on the disk of {folder}"
        what = f"{usage.free / 1e9:.1f} GB free of {usage.total / 1e9:.1f} GB"
        free = usage.free // MEGABYTE
        if free < limits.disk_stop_mb:
            refused = f"less than disk_stop_mb ({limits.disk_stop_mb}): recordings of rules 10 to 12 are refused"
            yield fail(f"disk of {name}", f"{what}, {refused}", mend)
        elif free < limits.disk_warn_mb:
            yield warn(f"disk of {name}", f"{what}, less than disk_warn_mb ({limits.disk_warn_mb})", mend)
        else:
            yield ok(f"disk of {name}", what)


def database(settings: Settings) -> tuple[list[Check], Rulebook | None]:
    """Look whether the database answers and speaks our schema; return the rulebook when it does."""
    # Alembic takes longer to import than most commands take to run.
    from pbx_plugin.db import migrate  # noqa: PLC0415

    try:
        schema = migrate.current(settings.database)
    except (ArgumentError, ImportError) as error:
        return [fail("database", f"its URL cannot be used: {error}", "mend 'database' in the configuration")], None
    except StoreUnavailableError as error:
        mend = "start the database server, or mend 'database' in the configuration"
        return [fail("database", str(error), mend)], None
    if schema != migrate.newest():
        found = f"its schema is {schema or 'not there'}, this version needs {migrate.newest()}"
        return [fail("database", found, "run 'pbx-plugin init' for a new site, else 'pbx-plugin upgrade'")], None
    engine = make_engine(settings.database)
    try:
        rulebook = DatabaseRulebook(engine).load()
    except StoreUnavailableError as error:
        return [fail("database", str(error), "look who holds it, then try again")], None
    finally:
        engine.dispose()
    return [ok("database", f"schema {schema}, revision {rulebook.revision}"), *_company(rulebook)], rulebook


def prompts(settings: Settings, rulebook: Rulebook) -> Check:
    """Look whether everything that callers must hear is there, unaltered."""
    folder = settings.paths.prompts
    try:
        made = read_manifest(folder)
        missing = PromptLibrary(folder).missing(rulebook, load_texts(resource_dir("ivr_prompts")))
    except (ManifestError, PromptTextError, FileNotFoundError) as error:
        return fail("prompts", str(error), "run 'pbx-plugin prompts build --force'")
    if missing:
        return fail("prompts", f"missing or altered: {', '.join(missing)}", "run 'pbx-plugin prompts build'")
    return ok("prompts", f"{len(made)} prompts in {folder}")


def consent_targets(rulebook: Rulebook) -> Iterator[Check]:
    """Look whether somebody can answer where consent numbers send callers."""
    rung = {member.group_id for member in rulebook.members}
    silent = {group.id: f"group {group.name}" for group in rulebook.groups if group.id not in rung}
    silent |= {user.id: f"user {user.extension}" for user in rulebook.users if not user.devices}
    for number in rulebook.consent_numbers:
        for answer in ("yes", "no"):
            kind, target = leads_to(number, answer)
            if target in silent:
                told = f"{answer} on consent number {number.number} leads to {silent[target]}, where no phone rings"
                yield warn("consent targets", told, f"give the {kind} a phone, or see 'pbx-plugin numbers set-consent'")


def mp3() -> Check:
    """Look whether downloads can be had as MP3."""
    found = find_ffmpeg()
    if found is None:
        what = "ffmpeg is not installed: recordings can be downloaded as WAV only"
        return warn("MP3", what, "apt-get install ffmpeg, if people are to have MP3")
    return ok("MP3", f"made by {found} as it is downloaded")


def consent_places(rulebook: Rulebook) -> dict[str, str]:
    """Return the places in the dialplan to which consent numbers send callers, and which answers lead there."""
    found: dict[str, list[str]] = {}
    for number in rulebook.consent_numbers:
        for answer in ("yes", "no"):
            kind, target = leads_to(number, answer)
            if kind == "dialplan":
                found.setdefault(target, []).append(f"{answer} on consent number {number.number}")
    return {place: " and ".join(answers) for place, answers in found.items()}


def journal(settings: Settings) -> Iterator[Check]:
    """Look how much the database does not know yet, and whether anything had to be set aside."""
    folder = settings.paths.journal
    engine = make_engine(settings.database)
    try:
        waiting = _waiting(engine, folder)
    except (OSError, JournalError) as error:
        yield fail("journal backlog", f"{folder} cannot be read: {error}", "look at the files' owner and mode")
    except StoreUnavailableError as error:
        yield warn("journal backlog", f"not known while the database is away: {error}", "bring the database back")
    else:
        mend = "it drains while 'pbx-plugin run' runs and the database answers: look at its log"
        what = f"{waiting} entries wait for the database"
        yield warn("journal backlog", what, mend) if waiting > MANY_WAITING else ok("journal backlog", what)
    finally:
        engine.dispose()
    aside = {path.name: _count_lines(path) for path in sorted(folder.glob("*.rejected"))} if folder.is_dir() else {}
    if any(aside.values()):
        what = ", ".join(f"{count} in {name}" for name, count in aside.items() if count)
        yield warn(
            "journal, set aside", f"entries that the database refused: {what}", f"look into {folder}, report them"
        )


def files(settings: Settings) -> Iterator[Check]:
    """Look for files without a row, rows without a file, and unfinished ones."""
    engine = make_engine(settings.database)
    try:
        with reading(engine) as session:
            kept = select(MediaRow.id, MediaRow.path, MediaRow.size).where(MediaRow.state == MediaState.STORED)
            sizes = {media: (path, size) for media, path, size in session.execute(kept)}
            stored = set(sizes)
            unfinished = set(session.scalars(select(MediaRow.id).where(MediaRow.state.in_(_STARTABLE))))
        archive = scan_archive(settings.paths.archive, stored)
        spool = scan_spool(settings.paths.spool, unfinished)
    except (StoreUnavailableError, StorageError) as error:
        yield warn("files", str(error), "mend what the checks above say, then look again")
        return
    finally:
        engine.dispose()
    if archive.missing:
        mend = "bring them back from a backup; until then these recordings cannot be played"
        yield fail("stored recordings", f"{len(archive.missing)} have no file, as {archive.missing[0]}", mend)
    elif altered := _altered(settings.paths.archive, sizes.values()):
        mend = "bring them back from a backup; who could write to the archive?"
        yield fail("stored recordings", f"{len(altered)} are not as long as when stored, as {altered[0]}", mend)
    else:
        yield ok("stored recordings", f"{len(stored)}, each with its file, as long as when stored")
    strange = {
        "unfinished in the archive": archive.leftover,
        "in the archive without a row": archive.unknown,
        "in the spool without a row": spool.unknown,
        "not ours in the spool folder": spool.foreign,
    }
    told = [f"{len(names)} {what} (as {names[0]})" for what, names in strange.items() if names]
    if told:
        yield warn("leftover files", "; ".join(told), "a running recorder clears what is its own; else look into them")
    else:
        yield ok("leftover files", f"none; {len(spool.waiting)} sound files of running calls in the spool")


def _folder(name: str, folder: Path, *, private: bool) -> Check:
    try:
        mode = stat.S_IMODE(folder.stat().st_mode)
    except FileNotFoundError:
        mend = (
            "make it, see 'pbx-plugin init'" if private else "mend paths.spool in the configuration, or start Asterisk"
        )
        return fail(name, f"{folder} is not there", mend)
    except OSError as error:
        return fail(name, f"{folder}: {error.strerror}", "let the user of pbx-plugin into the folders above it")
    if not os.access(folder, os.R_OK | os.W_OK | os.X_OK):
        return fail(
            name, f"{folder} cannot be written by this user", f"chown or chgrp {folder} to the user of pbx-plugin"
        )
    if private and mode & 0o007:
        return warn(name, f"{folder} is open to everybody ({mode:o})", f"chmod 750 {folder}")
    return ok(name, f"{folder} ({mode:o})")


def _company(rulebook: Rulebook) -> Iterator[Check]:
    if not rulebook.tenants:
        yield fail("company", "there is none", "run 'pbx-plugin init'")
        return
    for tenant in rulebook.tenants.values():
        users = [user for user in rulebook.users if user.tenant_id == tenant.id]
        enrolled = sum(user.enrolled for user in users)
        policy = rulebook.policy_of(tenant.id)
        what = f"{tenant.name}: {len(users)} users, {enrolled} enrolled, policy version {policy.number}"
        if not enrolled:
            yield warn("company", what, "nothing is recorded until somebody is enrolled: 'pbx-plugin users enrol'")
        elif policy.recording_off:
            yield warn("company", f"{what}; recording is switched off", "switch it on with 'pbx-plugin policy on'")
        elif policy.schedule and policy.schedule.time_zone not in rulebook.zones:
            zone = policy.schedule.time_zone
            why = f"{what}; this machine does not know the schedule's time zone {zone}: nothing is recorded"
            yield fail("company", why, "install the system's time zones (Debian: tzdata), or name another zone")
        else:
            yield ok("company", what)


def _waiting(engine: Engine, folder: Path) -> int:
    with reading(engine) as session:
        query = select(JournalMarkRow.journal, JournalMarkRow.position)
        marks = {row.journal: row.position for row in session.execute(query)}
    waiting = 0
    for name in journal_names(folder):
        for segment in find_segments(folder, name):
            known = marks.get(segment.run, segment.first - 1)
            lines = read_lines(segment, 0, segment.readable, 1_000_000)
            waiting += sum(line.position > known for line in lines)
    return waiting


def _count_lines(path: Path) -> int:
    count = 0
    with path.open("rb") as file:
        for raw in file:
            try:
                json.loads(raw)
            except ValueError:
                # A line torn by a crash is followed by its repetition.
                continue
            count += 1
    return count


def _altered(archive: Path, sizes: Iterable[tuple[str, int]]) -> list[str]:
    """Return the stored files whose size is not that in the books; their hashes are a longer matter."""
    found = []
    for path, size in sizes:
        try:
            if (archive / path).stat().st_size != size:
                found.append(path)
        except OSError:
            found.append(path)
    return sorted(found)
