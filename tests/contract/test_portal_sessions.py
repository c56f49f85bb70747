"""Being signed in: how long, what it shows of today, who sees and ends it; second factor and terms on the way in."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path
from threading import Barrier

import pytest
from company import person
from portal_company import NOON, PASSWORD, PortalCompany
from sqlalchemy import make_url

from pbx_plugin.db.engine import make_engine, writing
from pbx_plugin.db.models import DepartmentRow, TenantRow
from pbx_plugin.domain.access import Role
from pbx_plugin.domain.signing import Stage
from pbx_plugin.services import accounts, people, portal_settings, recording_groups
from pbx_plugin.services.second_factor import code_at
from pbx_plugin.services.signing_in import Grant, NotSignedInError, WrongError


@pytest.fixture
def acme(database_url: str, tmp_path: Path) -> Iterator[PortalCompany]:
    company = PortalCompany(make_engine(database_url, busy_ms=5000), tmp_path)
    yield company
    company.engine.dispose()


def alive(acme: PortalCompany, token: str, at: float | datetime) -> bool:
    return acme.door.standing(token, acme.visitor(at)) is not None


def with_factor(acme: PortalCompany) -> tuple[Grant, str, tuple[str, ...]]:
    """Sign in, set a second factor up, and return the session, the secret and the recovery codes."""
    grant = acme.sign_in(0)
    offer = acme.door.offer_factor(grant.token, acme.visitor(0))
    done = acme.door.set_factor(grant.token, acme.visitor(0), code_at(offer.secret, NOON))
    return done.grant, offer.secret, done.recovery_codes


def test_a_session_that_is_used_lives_and_one_that_is_not_ends(acme: PortalCompany) -> None:
    acme.add()
    token = acme.sign_in(0).token
    for minute in range(25, 700, 25):
        assert alive(acme, token, acme.after(minutes=minute))
    assert not alive(acme, token, acme.after(minutes=675 + 31))
    idle = acme.sign_in(acme.after(days=1)).token
    assert not alive(acme, idle, acme.after(days=1, minutes=30))


def test_a_session_ends_after_its_longest_time_however_much_it_is_used(acme: PortalCompany) -> None:
    acme.add()
    token = acme.sign_in(0).token
    assert all(alive(acme, token, acme.after(minutes=minute)) for minute in range(0, 720, 20))
    assert not alive(acme, token, acme.after(minutes=720))


def test_who_stays_signed_in_may_come_back_after_weeks_where_the_company_allows_it(acme: PortalCompany) -> None:
    acme.add()
    grant = acme.sign_in(0, keep=True)
    assert grant.until == acme.after(days=30)
    assert acme.sign_in(0).until is None
    assert alive(acme, grant.token, acme.after(days=29))
    assert not alive(acme, grant.token, acme.after(days=30))
    acme.rules(keep_days=0)
    assert not alive(acme, grant.token, acme.after(days=1))
    assert acme.sign_in(1, keep=True).until is None


def test_signing_out_ends_this_session_and_no_other(acme: PortalCompany) -> None:
    acme.add()
    here, elsewhere = acme.sign_in(0), acme.sign_in(0)
    acme.door.sign_out(here.token, acme.visitor(1))
    acme.door.sign_out(here.token, acme.visitor(1))
    assert not alive(acme, here.token, 2)
    assert alive(acme, elsewhere.token, 2)
    with pytest.raises(NotSignedInError):
        acme.door.sessions(here.token, acme.visitor(2))


def test_what_somebody_may_is_what_they_may_now(acme: PortalCompany) -> None:
    acme.add()
    token = acme.sign_in(0).token
    acme.change("anna@acme.dk", 1, may_download=True, may_listen=False)
    standing = acme.door.standing(token, acme.visitor(2))
    assert standing is not None
    assert (standing.viewer.may_download, standing.viewer.may_listen) == (True, False)
    acme.change("anna@acme.dk", 3, role=Role.RESTRICTED)
    assert not alive(acme, token, 4)


def test_a_locked_account_is_out_at_once(acme: PortalCompany) -> None:
    acme.add()
    token = acme.sign_in(0).token
    acme.work(accounts.lock, at=1)
    acme.work(accounts.unlock, at=2)
    assert not alive(acme, token, 3)


def test_an_account_loses_its_own_recordings_with_its_user_and_sees_what_the_user_supervises(
    acme: PortalCompany,
) -> None:
    with writing(acme.engine) as session:
        session.add(DepartmentRow(id="sales", tenant_id="acme", name="Sales"))
        session.add_all([person("p1", "101", tenant_id="acme"), person("p2", "102", tenant_id="acme")])
    with acme.office() as office:
        group = recording_groups.add(office.desk, "Night", ["102"], ["101"])
    acme.add(role=Role.RESTRICTED, user="101", departments=["Sales", "Undefined"])
    token = acme.sign_in(0).token
    standing = acme.door.standing(token, acme.visitor(1))
    assert standing is not None
    assert standing.viewer.person_id == "p1"
    assert standing.viewer.department_ids == {"sales", ""}
    assert standing.viewer.recording_group_ids == {group.id}
    with acme.office() as office:
        people.remove(office.desk, people.find(office.desk, "101"))
    standing = acme.door.standing(token, acme.visitor(2))
    assert standing is not None
    assert standing.viewer.person_id is None
    assert standing.viewer.recording_group_ids == set()


def test_people_see_and_end_their_own_sessions_and_superusers_the_companys(acme: PortalCompany) -> None:
    acme.add()
    acme.add("admin@acme.dk", Role.SUPERUSER)
    anna, other, admin = acme.sign_in(0), acme.sign_in(1), acme.sign_in(2, email="admin@acme.dk")
    with writing(acme.engine) as session:
        session.add(TenantRow(id="globex", name="Globex"))
    acme.add("gus@globex.dk", company="globex")
    foreign = acme.sign_in(3, email="gus@globex.dk", company="Globex").standing.session.id
    mine = acme.door.sessions(anna.token, acme.visitor(4))
    assert [(one.email, one.own) for one in mine] == [("anna@acme.dk", False), ("anna@acme.dk", True)]
    with pytest.raises(WrongError):
        acme.door.sessions(anna.token, acme.visitor(4), everybody=True)
    assert acme.door.end_sessions(anna.token, acme.visitor(5), [admin.standing.session.id, foreign]) == 0
    assert acme.door.end_sessions(anna.token, acme.visitor(5), [other.standing.session.id]) == 1
    assert not alive(acme, other.token, 6)
    all_of_them = acme.door.sessions(admin.token, acme.visitor(7), everybody=True)
    assert {one.email for one in all_of_them} == {"anna@acme.dk", "admin@acme.dk"}
    assert acme.door.end_sessions(admin.token, acme.visitor(8), [anna.standing.session.id, foreign]) == 1
    assert [row.detail["session"] for row in acme.audit("session ended")] == [
        other.standing.session.id,
        anna.standing.session.id,
    ]


def test_the_second_factor_is_asked_for_and_its_session_shows_nothing_before(acme: PortalCompany) -> None:
    acme.add()
    first, secret, _ = with_factor(acme)
    assert first.standing.stage is Stage.OPEN
    grant = acme.sign_in(60)
    assert grant.standing.stage is Stage.SECOND_FACTOR
    with pytest.raises(NotSignedInError):
        acme.door.change_password(grant.token, acme.visitor(61), old=PASSWORD, new="Green-8-kettle")
    with pytest.raises(NotSignedInError):
        acme.door.offer_factor(grant.token, acme.visitor(61))
    with pytest.raises(WrongError):
        acme.door.give_code(grant.token, acme.visitor(62), "000000")
    opened = acme.door.give_code(grant.token, acme.visitor(63), code_at(secret, acme.after(63)))
    assert opened.standing.stage is Stage.OPEN
    assert not alive(acme, grant.token, 64)
    slow = acme.sign_in(100)
    assert not alive(acme, slow.token, 100 + 15 * 60)


def test_a_code_opens_once_even_to_two_at_the_same_moment(acme: PortalCompany) -> None:
    acme.add()
    _, secret, _ = with_factor(acme)
    tokens = [acme.sign_in(60).token for _ in range(2)]
    code, start = code_at(secret, acme.after(60)), Barrier(2)

    def give(token: str) -> bool:
        start.wait()
        try:
            acme.door.give_code(token, acme.visitor(61), code)
        except WrongError:
            return False
        return True

    with ThreadPoolExecutor(2) as pool:
        assert sorted(pool.map(give, tokens)) == [False, True]
    again = acme.sign_in(70)
    with pytest.raises(WrongError):
        acme.door.give_code(again.token, acme.visitor(70), code)


def test_codes_are_guessed_no_faster_than_passwords(acme: PortalCompany) -> None:
    acme.add()
    _, secret, _ = with_factor(acme)
    token = acme.sign_in(60).token
    for _ in range(5):
        with pytest.raises(WrongError):
            acme.door.give_code(token, acme.visitor(61), "000000")
    with pytest.raises(WrongError):
        acme.door.give_code(token, acme.visitor(62), code_at(secret, acme.after(62)))
    acme.door.give_code(token, acme.visitor(76), code_at(secret, acme.after(76)))


def test_a_recovery_code_takes_the_place_of_the_phone_once(acme: PortalCompany) -> None:
    acme.add()
    _, _, codes = with_factor(acme)
    assert len(set(codes)) == 10
    grant = acme.sign_in(60)
    opened = acme.door.give_code(grant.token, acme.visitor(61), f" {codes[0].upper().replace('-', ' ')} ")
    assert acme.door.recovery_codes_left(opened.token, acme.visitor(62)) == 9
    again = acme.sign_in(63)
    with pytest.raises(WrongError):
        acme.door.give_code(again.token, acme.visitor(64), codes[0])
    fresh = acme.door.fresh_recovery_codes(opened.token, acme.visitor(65), password=PASSWORD)
    with pytest.raises(WrongError):
        acme.door.give_code(again.token, acme.visitor(66), codes[1])
    assert acme.door.give_code(again.token, acme.visitor(67), fresh[0]).standing.stage is Stage.OPEN


def test_a_role_may_have_to_have_a_second_factor(acme: PortalCompany) -> None:
    acme.rules(factor_roles=["superuser"])
    acme.add(role=Role.SUPERUSER)
    grant = acme.sign_in(0)
    assert grant.standing.stage is Stage.SET_UP_FACTOR
    opened, _, _ = with_factor(acme)
    assert opened.standing.stage is Stage.OPEN
    dropped = acme.door.drop_factor(opened.token, acme.visitor(1), password=PASSWORD)
    assert dropped.standing.stage is Stage.SET_UP_FACTOR


def test_a_second_factor_is_neither_replaced_nor_dropped_by_a_stolen_session(acme: PortalCompany) -> None:
    acme.add()
    opened, _, _ = with_factor(acme)
    with pytest.raises(WrongError):
        acme.door.offer_factor(opened.token, acme.visitor(1))
    with pytest.raises(WrongError):
        acme.door.drop_factor(opened.token, acme.visitor(1), password="Wrong-1-kettle")
    with pytest.raises(WrongError):
        acme.door.fresh_recovery_codes(opened.token, acme.visitor(1), password="Wrong-1-kettle")


def test_an_administrator_takes_a_lost_second_factor_away(acme: PortalCompany) -> None:
    acme.add()
    opened, _, _ = with_factor(acme)
    acme.work(accounts.drop_factor, at=1)
    assert not alive(acme, opened.token, 2)
    assert acme.sign_in(3).standing.stage is Stage.OPEN


def test_the_second_factors_secret_is_not_in_the_database_and_lost_with_the_key(
    acme: PortalCompany, tmp_path: Path, database_url: str
) -> None:
    acme.add()
    _, secret, codes = with_factor(acme)
    if make_url(database_url).get_backend_name() == "sqlite":
        with sqlite3.connect(str(make_url(database_url).database)) as database:
            everything = "\n".join(database.iterdump())
        database.close()
        assert secret not in everything
        assert not [code for code in codes if code in everything or code.replace("-", "") in everything]
    (tmp_path / "keys" / "portal.key").unlink()
    grant = acme.sign_in(60)
    with pytest.raises(WrongError):
        acme.door.give_code(grant.token, acme.visitor(61), code_at(secret, acme.after(61)))
    assert acme.door.give_code(grant.token, acme.visitor(62), codes[3]).standing.stage is Stage.OPEN


def test_terms_are_accepted_once_and_again_when_they_are_new(acme: PortalCompany) -> None:
    acme.add(language="da")
    with acme.office() as office:
        assert portal_settings.set_terms(office, {"en": "Be nice", "da": "Vær sød"}) == 1
    grant = acme.sign_in(1)
    assert grant.standing.stage is Stage.TERMS
    assert grant.standing.terms is not None
    assert (grant.standing.terms.text, grant.standing.terms.language) == ("Vær sød", "da")
    with pytest.raises(WrongError):
        acme.door.accept_terms(grant.token, acme.visitor(2), 2)
    assert acme.door.accept_terms(grant.token, acme.visitor(3), 1).stage is Stage.OPEN
    with acme.office() as office:
        portal_settings.translate_terms(office, {"sv": "Var snäll"})
    assert alive(acme, grant.token, 4)
    assert acme.sign_in(5).standing.stage is Stage.OPEN
    with acme.office() as office:
        portal_settings.set_terms(office, {"en": "Be very nice"})
    standing = acme.door.standing(grant.token, acme.visitor(6))
    assert standing is not None
    assert standing.stage is Stage.TERMS
    assert acme.door.accept_terms(grant.token, acme.visitor(7), 2).stage is Stage.OPEN
    (first, second) = acme.audit("terms accepted")
    assert (first.detail["version"], first.detail["language"], second.detail["version"]) == (1, "da", 2)
    with acme.accounts.reading() as store:
        accepted = store.accepted(store.accounts("acme")[0])
    assert [(one.version, one.at) for one in accepted] == [(2, acme.after(7)), (1, acme.after(3))]


def test_dropped_terms_ask_nobody_and_never_give_a_number_twice(acme: PortalCompany) -> None:
    acme.add()
    with acme.office() as office:
        portal_settings.set_terms(office, {"en": "Be nice"})
        portal_settings.drop_terms(office)
        portal_settings.drop_terms(office)
    assert acme.sign_in(1).standing.stage is Stage.OPEN
    with acme.office() as office:
        assert portal_settings.set_terms(office, {"en": "Be nice again"}) == 3


def test_somebody_chooses_the_language_that_they_are_spoken_to_in(acme: PortalCompany) -> None:
    acme.add()
    token = acme.sign_in(0).token
    assert acme.door.choose_language(token, acme.visitor(1), "sv").viewer.language == "sv"
    with pytest.raises(WrongError):
        acme.door.choose_language(token, acme.visitor(2), "xx")


def test_the_list_of_what_somebody_sees_costs_no_write_a_click(acme: PortalCompany) -> None:
    acme.add()
    token = acme.sign_in(0).token
    for second in range(1, 59, 3):
        alive(acme, token, second)
    assert acme.door.sessions(token, acme.visitor(59))[0].session.seen_at == NOON
    alive(acme, token, 61)
    assert acme.door.sessions(token, acme.visitor(62))[0].session.seen_at == acme.after(61)


def test_people_are_told_when_somebody_changes_what_they_sign_in_with(acme: PortalCompany) -> None:
    acme.add(language="da")
    opened, _, _ = with_factor(acme)
    acme.door.drop_factor(opened.token, acme.visitor(1), password=PASSWORD)
    acme.change("anna@acme.dk", 2, email="anna@globex.dk")
    assert [(mail.address, mail.subject) for mail in acme.mails()] == [
        ("anna@acme.dk", "Din anden faktor er sat op"),
        ("anna@acme.dk", "Din anden faktor er fjernet"),
        ("anna@acme.dk", "Din adresse er ændret"),
    ]
    acme.rules(confirm_by_mail=False)
    acme.change("anna@globex.dk", 3, email="anna@acme.dk")
    assert len(acme.mails()) == 3
