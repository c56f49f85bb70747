"""Tokens and webhooks at the command line: shown once, listed without their secrets, tried without effect."""

from __future__ import annotations

from pathlib import Path

import pytest
from cli_site import Site


@pytest.fixture
def site(tmp_path: Path, migrated_file: Path) -> Site:
    return Site(tmp_path, migrated_file)


def test_a_token_is_shown_once_and_revoked_for_good(site: Site) -> None:
    said = site.does("tokens", "create", "crm", "--scope", "calls:read", "--scope", "tags:write", "--days", "30")
    secret = said.out.strip()
    assert secret.startswith("pbxp_")
    assert "shown this once" in said.err
    (token,) = site.does("tokens", "list", "--json").data
    assert (token["scopes"], token["state"]) == (["calls:read", "tags:write"], "in force")
    assert secret not in str(site.rows())
    assert site("tokens", "create", "crm", "--scope", "calls:read").code == 2
    site.does("tokens", "revoke", "crm")
    assert site("tokens", "revoke", "crm").code == 2
    assert site.does("tokens", "list", "--json").data[0]["state"] == "revoked"


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("tokens", "create", "crm"), "at least one"),
        (("tokens", "create", "crm", "--scope", "everything"), "'everything'"),
        (("tokens", "create", "crm", "--scope", "calls:read", "--days", "9999"), "9999"),
        (("webhooks", "add", "http://crm.example.com/"), "not encrypted"),
        (("webhooks", "add", "https://10.0.0.8/"), "own_networks"),
        (("webhooks", "add", "https://crm.example.com/", "--event", "rung"), "'rung'"),
        (("webhooks", "remove", "nothing"), "'nothing'"),
        (("webhooks", "retry", "nothing"), "'nothing'"),
    ],
)
def test_what_cannot_be_is_told_and_changes_nothing(site: Site, words: tuple[str, ...], told: str) -> None:
    before = site.rows()
    said = site(*words)
    assert (said.code, told in said.err) == (2, True)
    assert site.rows() == before


def test_a_webhook_is_tried_added_and_removed(site: Site) -> None:
    before = site.rows()
    tried = site.does("webhooks", "add", "https://crm.example.com/x", "--event", "stored", "--dry-run")
    assert "can be added" in tried.out
    assert site.rows() == before
    secret = site.does("webhooks", "add", "https://crm.example.com/x", "--event", "stored").out.strip()
    assert len(secret) > 40
    shown = site.does("webhooks", "list", "--json")
    assert (shown.data[0]["events"], secret in shown.out) == (["stored"], False)
    assert site.does("webhooks", "deliveries", "--json").data == []
    assert site.does("webhooks", "retry", "--json").data == {"again": 0}
    there = site.rows()
    site.does("webhooks", "remove", "https://crm.example.com/x", "--dry-run")
    assert site.rows() == there
    site.does("webhooks", "remove", "https://crm.example.com/x")
    assert site.does("webhooks", "list", "--json").data == []
