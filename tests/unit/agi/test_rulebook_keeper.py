"""The rulebook at hand: the newest that could be read, never none once there was one."""

from __future__ import annotations

from pbx_plugin.agi.rulebook_keeper import RulebookKeeper
from pbx_plugin.domain.rulebook import Rulebook, Tenant
from pbx_plugin.services.ports import StoreUnavailableError


class Database:
    """Has a rulebook, or trouble; counts how often everything was read."""

    def __init__(self) -> None:
        self.rulebook = Rulebook(revision=1)
        self.trouble: Exception | None = None
        self.loads = 0

    def revision(self) -> int:
        if self.trouble is not None:
            raise self.trouble
        return self.rulebook.revision

    def load(self) -> Rulebook:
        if self.trouble is not None:
            raise self.trouble
        self.loads += 1
        return self.rulebook


def test_the_rulebook_is_read_whole_only_when_it_has_changed() -> None:
    database = Database()
    keeper = RulebookKeeper(database, 60)

    keeper.look()
    keeper.look()
    assert database.loads == 1

    database.rulebook = Rulebook(revision=2, tenants={"acme": Tenant("acme", "Acme")})
    keeper.look()
    assert keeper.current() == database.rulebook
    assert database.loads == 2


def test_an_older_revision_after_a_restore_counts_as_a_change() -> None:
    database = Database()
    database.rulebook = Rulebook(revision=9)
    keeper = RulebookKeeper(database, 60)
    keeper.look()

    database.rulebook = Rulebook(revision=3)
    keeper.look()

    assert keeper.current() == database.rulebook


def test_while_the_database_is_away_the_last_rulebook_stays_in_force() -> None:
    database = Database()
    keeper = RulebookKeeper(database, 60)
    keeper.look()

    for trouble in (StoreUnavailableError("locked"), ValueError("a row nobody can read")):
        database.trouble = trouble
        keeper.look()
        assert keeper.current() == database.rulebook


def test_with_no_rulebook_yet_there_is_none_until_the_database_comes() -> None:
    database = Database()
    database.trouble = StoreUnavailableError("away")
    keeper = RulebookKeeper(database, 60)
    keeper.start()
    try:
        assert keeper.current() is None
        database.trouble = None
        keeper.look()
        assert keeper.current() == database.rulebook
    finally:
        keeper.stop()
        keeper.stop()
