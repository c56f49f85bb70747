"""What the screens work with: one site's settings and database, and where it is found."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, tzinfo
from functools import cached_property
from urllib.parse import urlsplit

from babel.dates import LOCALTZ
from sqlalchemy import Engine

from pbx_plugin.clock import time_zone
from pbx_plugin.services.account_records import Accounts, Tools
from pbx_plugin.services.signing_in import SigningIn
from pbx_plugin.settings import Settings, SettingsError

LOOPBACK = ("localhost", "127.0.0.1", "[::1]")


@dataclass(frozen=True)
class PortalSite:
    """One site. ``now`` returns aware UTC time, ``new_id`` makes row ids. ``port`` is where it answers."""

    settings: Settings
    engine: Engine
    accounts: Accounts
    tools: Tools
    now: Callable[[], datetime]
    new_id: Callable[[], str]
    port: int

    @cached_property
    def signing(self) -> SigningIn:
        """The steps of signing in."""
        return SigningIn(self.accounts, self.tools)

    @property
    def secure(self) -> bool:
        """Whether people come by https: cookies are then for https only, and browsers are told to stay with it."""
        return self.settings.portal.public_url.startswith("https://")

    @property
    def url(self) -> str:
        """The portal's own address without a slash at the end, as links in mails have it; never from a request."""
        return self.tools.public_url

    @cached_property
    def hosts(self) -> frozenset[str]:
        """The names under which it answers, without port; whoever asks for another is refused."""
        public = urlsplit(self.url).hostname or ""
        own = self.settings.portal.host
        return frozenset({*LOOPBACK, f"[{public}]" if ":" in public else public, f"[{own}]" if ":" in own else own})

    @cached_property
    def zone(self) -> tzinfo:
        """The time zone that pages show: the configured one, else this machine's."""
        name = self.settings.portal.time_zone
        if not name:
            return LOCALTZ
        found = time_zone(name)
        if found is None:
            raise SettingsError(f"value 'portal.time_zone': this machine knows no time zone {name!r}")
        return found
