"""Wires adapters into what needs them: the one place that knows settings, database, journal and prompts at once."""

from __future__ import annotations

import secrets
import uuid
from contextlib import suppress
from datetime import datetime

from sqlalchemy import Engine

from pbx_plugin.db.apply import DatabaseApply
from pbx_plugin.db.deletions import DatabaseDeletions
from pbx_plugin.db.engine import make_engine
from pbx_plugin.db.recall import DatabaseRecall
from pbx_plugin.db.rulebook import DatabaseRulebook
from pbx_plugin.prompts.library import PromptLibrary
from pbx_plugin.services.account_records import Tools
from pbx_plugin.services.deleting import resume
from pbx_plugin.services.passwords import Argon2Hasher
from pbx_plugin.services.ports import Recall, RulebookSource, StoreUnavailableError
from pbx_plugin.settings import Settings
from pbx_plugin.storage.erase_deleted import ArchiveEraser
from pbx_plugin.storage.journal import FileJournal, drain_orphans
from pbx_plugin.storage.portal_key import PortalKey


def build_journal(settings: Settings, name: str, *, rehearsed: bool = False) -> FileJournal:
    """Open the journal of one writer; the caller closes it. The database may be away. Raises JournalError.

    ``rehearsed`` spends some tens of milliseconds now, so that the first call's entries are written as fast as later
    ones: for who lives long and is in a hurry.
    """
    apply = DatabaseApply(make_engine(settings.database))
    if rehearsed:
        with suppress(StoreUnavailableError):
            apply.rehearse()
    return FileJournal(settings.paths.journal, name, apply)


def drain_journals(settings: Settings) -> int:
    """Bring in what writers left that are gone (AGI processes, for one), and return how many entries they had left.

    Raises StoreUnavailableError, JournalError; nothing is lost by either.
    """
    apply = DatabaseApply(make_engine(settings.database))
    return drain_orphans(settings.paths.journal, apply, apply.forget)


def build_rulebook_source(settings: Settings) -> RulebookSource:
    """Return where the rulebook comes from; nothing is opened yet."""
    return DatabaseRulebook(make_engine(settings.database))


def build_recall(settings: Settings) -> Recall:
    """Return what a restarted recorder reads back; nothing is opened yet."""
    return DatabaseRecall(make_engine(settings.database))


def build_account_tools(settings: Settings) -> Tools:
    """Return what accounts of the portal need besides the database; the key is made when it is first used."""
    portal = settings.portal
    return Tools(
        hasher=Argon2Hasher(secrets.token_bytes),
        sealer=PortalKey(settings.paths.keys),
        random=secrets.token_bytes,
        new_id=lambda: str(uuid.uuid4()),
        public_url=(portal.public_url or f"http://{portal.host}:{portal.port}").rstrip("/"),
    )


def build_prompts(settings: Settings) -> PromptLibrary:
    """Return the prompts as they lie on disk."""
    return PromptLibrary(settings.paths.prompts)


def build_eraser(settings: Settings) -> ArchiveEraser:
    """Return what erases the sound of deleted recordings."""
    return ArchiveEraser(settings.paths.spool, settings.paths.archive)


def finish_deletions(settings: Settings, engine: Engine, at: datetime) -> int:
    """Bring deletions to their end that somebody died over, and return how many those were; cheap when there are none.

    Raises StoreUnavailableError, EraseError; what is left is done next time.
    """
    return resume(DatabaseDeletions(engine), build_eraser(settings), at)
