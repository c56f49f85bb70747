"""An older site's consent numbers live through the upgrade; on the way back, those that an older version can know."""

from __future__ import annotations

import pytest
from sqlalchemy import Engine, text

from pbx_plugin.db.migrate import downgrade, upgrade
from pbx_plugin.db.rulebook import DatabaseRulebook
from pbx_plugin.domain.rulebook import DirectNumber

BEFORE = (
    "INSERT INTO tenant (id, name, country, language) VALUES ('t', 'Firm', 'DK', 'da')",
    "INSERT INTO hunt_group (id, tenant_id, number, name, kind, bridged, strategy, ring_seconds, wait_seconds,"
    " wrap_up_seconds, music) VALUES ('g', 't', '600', 'yes', 'queue', false, 'ring-all', 20, 60, 0, false),"
    " ('h', 't', '601', 'no', 'queue', false, 'ring-all', 20, 60, 0, false)",
    "INSERT INTO consent_number (id, tenant_id, number, language, yes_group_id, no_group_id, purpose, keep_days, tries,"
    " timeout_ms) VALUES ('c', 't', '800', 'da', 'g', 'h', 'quality', 30, 3, 5000)",
    "INSERT INTO direct_number (id, tenant_id, e164, consent_number_id) VALUES ('d', 't', '+4570101010', 'c')",
)


@pytest.fixture
def older(engine: Engine, database_url: str) -> Engine:
    """A database of the version before, with a consent number and a direct number that leads to it."""
    downgrade(database_url, "0005")
    with engine.begin() as connection:
        for statement in BEFORE:
            connection.execute(text(statement))
    return engine


def test_consent_numbers_keep_their_groups_their_language_and_what_leads_to_them(
    older: Engine, database_url: str
) -> None:
    upgrade(database_url)
    rulebook = DatabaseRulebook(older).load()
    (number,) = rulebook.consent_numbers
    assert (number.yes_group_id, number.no_group_id, number.keep_days) == ("g", "h", 30)
    assert (number.languages, number.yes_place, number.no_user_id) == (("da",), "", "")
    assert rulebook.direct_numbers == (DirectNumber("+4570101010", "t", consent_number_id="c"),)


def test_on_the_way_back_only_numbers_that_lead_elsewhere_are_lost(older: Engine, database_url: str) -> None:
    upgrade(database_url)
    with older.begin() as connection:
        connection.execute(text(
            "INSERT INTO consent_number (id, tenant_id, number, language, yes_group_id, no_place, yes_place, by_key,"
            " by_country, purpose, keep_days, tries, timeout_ms)"
            " VALUES ('e', 't', '801', 'da', 'g', 'menu,s,1', '', '9=en', '', 'quality', 30, 3, 5000)"
        ))  # fmt: skip
    downgrade(database_url, "0005")
    with older.connect() as connection:
        assert connection.execute(text("SELECT id, yes_group_id FROM consent_number")).all() == [("c", "g")]
        assert connection.execute(text("SELECT consent_number_id FROM direct_number")).all() == [("c",)]
    upgrade(database_url)
    assert [one.id for one in DatabaseRulebook(older).load().consent_numbers] == ["c"]
