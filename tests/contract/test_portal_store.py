"""What must not happen twice is decided by one statement, also where two transactions see the same before."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from portal_company import NOON, PortalCompany

from pbx_plugin.db.engine import make_engine
from pbx_plugin.domain.access import Role
from pbx_plugin.services import accounts
from pbx_plugin.services.account_records import Waiting, token_digest
from pbx_plugin.services.directory import RefusedError


@pytest.fixture
def acme(database_url: str, tmp_path: Path) -> Iterator[PortalCompany]:
    company = PortalCompany(make_engine(database_url, busy_ms=5000), tmp_path)
    yield company
    company.engine.dispose()


def test_a_time_step_is_taken_once_and_never_an_earlier_one(acme: PortalCompany) -> None:
    account = acme.add()
    with acme.accounts.writing() as store:
        assert [store.take_step(account, step) for step in (5, 5, 4, 6)] == [True, False, False, True]


def test_a_recovery_code_and_a_link_are_taken_once(acme: PortalCompany) -> None:
    account = acme.add()
    token = acme.work(lambda office, one: accounts.reset(office, one, mailed=False))
    with acme.accounts.writing() as store:
        store.set_recovery_codes(account, ["a" * 64])
        assert [store.take_recovery_code(account, "a" * 64, NOON) for _ in range(2)] == [True, False]
        link = store.link(token_digest(token))
        assert link is not None
        assert not store.take_link(link, link.expires_at)
        assert [store.take_link(link, NOON) for _ in range(2)] == [True, False]


def test_a_count_is_written_only_over_what_was_seen(acme: PortalCompany) -> None:
    first, second = Waiting(1, NOON, NOON), Waiting(2, NOON, NOON)
    with acme.accounts.writing() as store:
        assert [store.take_try("key", "acme", first, None) for _ in range(2)] == [True, False]
        assert [store.take_try("key", "acme", second, first) for _ in range(2)] == [True, False]
        assert store.waiting("key") == second
        store.forget_tries("key")
        assert not store.take_try("key", "acme", second, first)
        assert store.waiting("key") is None


def test_a_session_is_not_written_over_a_newer_token_or_back_to_life(acme: PortalCompany) -> None:
    acme.add()
    session = acme.sign_in(0).standing.session
    with acme.accounts.writing() as store:
        renewed = replace(session, sha256="b" * 64)
        assert store.save_session(renewed, session)
        assert not store.save_session(replace(session, seen_at=acme.after(60)), session)
        assert store.end_sessions("globex", [session.id]) == 0
        assert store.end_sessions("acme", [session.id]) == 1
        assert not store.save_session(renewed, renewed)


def test_an_address_is_one_account_within_the_company_whoever_was_quicker(acme: PortalCompany) -> None:
    account = acme.add("Anna@acme.dk")
    with pytest.raises(RefusedError), acme.accounts.writing() as store:
        store.save_account(replace(account, id="another", email="anna@ACME.dk"))
    with acme.accounts.reading() as store:
        assert [one.id for one in store.accounts("acme")] == [account.id]


def test_a_removed_account_leaves_only_what_it_accepted_and_did(acme: PortalCompany) -> None:
    acme.add("admin@acme.dk", Role.SUPERUSER)
    account = acme.add(role=Role.RESTRICTED, departments=["Undefined"])
    acme.sign_in(0)
    acme.work(lambda office, one: accounts.reset(office, one, mailed=False))
    acme.work(accounts.remove)
    with acme.accounts.reading() as store:
        assert store.account("acme", account.id) is None
        assert store.sessions("acme") == []
    assert acme.audit("account removed")[0].subject == account.id
