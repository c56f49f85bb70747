"""Fixtures of the tests in a real browser."""

from __future__ import annotations

from portal_fixtures import chromium, empty_database, picture, portal_site, sign_in

__all__ = ["chromium", "empty_database", "picture", "portal_site", "sign_in"]
