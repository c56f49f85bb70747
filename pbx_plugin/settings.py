"""One frozen settings object, from a TOML file and the environment (``PBX_PLUGIN_ARI__PORT=8088`` …).

Secrets may stand in the file (mode 0640) or come by environment; they are ``SecretStr`` and never printed.
"""

from __future__ import annotations

import os
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, model_validator
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

DEFAULT_CONFIG = Path("/etc/pbx-plugin/config.toml")
CONFIG_VARIABLE = "PBX_PLUGIN_CONFIG"

SLOWEST_REFRESH = 4.0
"""Seconds: whoever applies a policy or changes a user is promised that it counts five seconds later."""


class SettingsError(Exception):
    """The configuration cannot be used: says which file, which value, and what to do."""


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Ari(_Section):
    """Asterisk's REST interface; ``app`` is the Stasis application of the recorder."""

    host: str = "127.0.0.1"
    port: int = 8088
    user: str = "pbxrec"
    password: SecretStr = SecretStr("")
    app: str = "pbxrec"


class Ami(_Section):
    """Asterisk's manager interface, for loading the generated dialplan."""

    host: str = "127.0.0.1"
    port: int = 5038
    user: str = "pbxrec"
    secret: SecretStr = SecretStr("")


class Agi(_Section):
    """Where the FastAGI service listens (FreePBX owns 4573, so we do not)."""

    host: str = "127.0.0.1"
    port: int = 4583


class Paths(_Section):
    """Folders. ``spool`` is Asterisk's recording folder; ``archive`` keeps stored recordings; ``state`` is ours."""

    state: Path = Path("/var/lib/pbx-plugin")
    archive: Path = Path("/var/lib/pbx-plugin/archive")
    spool: Path = Path("/var/spool/asterisk/recording")
    asterisk_etc: Path = Path("/etc/asterisk")

    @property
    def journal(self) -> Path:
        """Folder of the durable journal that waits for the database."""
        return self.state / "journal"

    @property
    def heard(self) -> Path:
        """File whose time stamp tells when the recorder last heard Asterisk."""
        return self.state / "recorder.heard"

    @property
    def witness(self) -> Path:
        """File into which Asterisk writes its channel events, for what happens while the recorder is away."""
        return self.state / "witness" / "events.csv"

    @property
    def prompts(self) -> Path:
        """Folder of the spoken prompts, one folder a language."""
        return self.state / "prompts"

    @property
    def keys(self) -> Path:
        """Folder of the keys that sign receipts of consent; see :mod:`pbx_plugin.storage.site_keys`."""
        return self.state / "keys"

    @property
    def backups(self) -> Path:
        """Folder of replaced dialplan files, for ``dialplan rollback``."""
        return self.state / "dialplan-backups"


class Dialplan(_Section):
    """What is generated and under which names. ``pjsip`` makes endpoints too (off where the admin has their own),
    each with ``pjsip_options`` beside the usual ones. With ``transfer_codes`` users, and never an outside party, may
    transfer and park by the codes of features.conf's ``[featuremap]``; there a lone ``#`` transfers unless changed."""

    from_users: str = "pbxrec-users"
    from_trunk: str = "pbxrec-trunk"
    trunk: str = "trunk"
    pjsip: bool = False
    toggle_digit: str = Field(default="4", pattern=r"^[0-9]$")
    transfer_codes: bool = False
    pause_digit: str = Field(default="5", pattern=r"^[0-9]$")
    withdraw_digit: str = Field(default="6", pattern=r"^[0-9]$")
    pjsip_options: dict[str, str] = {}

    @model_validator(mode="after")
    def _a_digit_for_each_code(self) -> Self:
        digits = (self.toggle_digit, self.pause_digit, self.withdraw_digit)
        if len(set(digits)) < len(digits):
            raise ValueError(f"toggle_digit, pause_digit and withdraw_digit must differ, not {', '.join(digits)}")
        return self


class Recorder(_Section):
    """The recorder's own limits, in seconds unless the name says otherwise.

    A company may have ``most_at_once`` recordings at the same time (0: any number). With less than ``disk_warn_mb``
    free where spool or archive lie an alarm is raised; with less than ``disk_stop_mb`` recordings of rules 10 to 12 are
    not begun any more.
    """

    heartbeat: float = 5.0
    heartbeat_patience: float = 3.0
    rulebook_refresh: float = Field(default=1.0, gt=0, le=SLOWEST_REFRESH)
    shortest_ms: int = 200
    most_at_once: int = Field(default=0, ge=0)
    disk_warn_mb: int = Field(default=2000, ge=0)
    disk_stop_mb: int = Field(default=500, ge=0)

    @model_validator(mode="after")
    def _warns_before_it_stops(self) -> Self:
        if self.disk_warn_mb < self.disk_stop_mb:
            raise ValueError(f"disk_warn_mb ({self.disk_warn_mb}) is less than disk_stop_mb ({self.disk_stop_mb})")
        return self


class Bridge(_Section):
    """The application that rings and bridges hunt groups, in seconds unless the name says otherwise.

    ``app`` is its Stasis application. ``digit_timeout_ms`` is how long a star waits for the digit behind it.
    """

    app: str = Field(default="pbxrec-bridge", pattern=r"^[A-Za-z0-9_-]+$")
    heartbeat: float = 5.0
    heartbeat_patience: float = 3.0
    rulebook_refresh: float = Field(default=1.0, gt=0, le=SLOWEST_REFRESH)
    digit_timeout_ms: int = 1000


class Api(_Section):
    """The REST interface. It speaks plain HTTP: leave it on the loopback, with a proxy in front that has TLS.

    ``trusted_proxies`` are the addresses whose ``X-Forwarded-For`` is believed. A token has ``token_rate`` requests a
    second in the long run and ``token_burst`` at once, an address likewise, whatever tokens it shows. Bodies are at
    most ``largest_body`` bytes.
    """

    host: str = "127.0.0.1"
    port: int = Field(default=8470, ge=0, le=65535)
    trusted_proxies: tuple[str, ...] = ()
    token_rate: float = Field(default=20.0, gt=0)
    token_burst: int = Field(default=100, ge=1)
    address_rate: float = Field(default=50.0, gt=0)
    address_burst: int = Field(default=200, ge=1)
    largest_body: int = Field(default=1_000_000, ge=1000)


class Portal(_Section):
    """The portal. It speaks plain HTTP: leave it on the loopback, with a proxy in front that has TLS.

    ``public_url`` is where people find it, as ``https://calls.example.com``: links in mails begin with it, and only
    under its name does the portal answer (beside the loopback's). With https in it cookies are for https only.
    ``trusted_proxies`` are the addresses whose ``X-Forwarded-For`` is believed. ``time_zone`` is the one that pages
    show, as ``Europe/Copenhagen``; without it this machine's. Forms are at most ``largest_body`` bytes.
    """

    host: str = "127.0.0.1"
    port: int = Field(default=8471, ge=0, le=65535)
    public_url: str = Field(default="", pattern=r"^(https?://[A-Za-z0-9.:\[\]-]+/?)?$")
    trusted_proxies: tuple[str, ...] = ()
    time_zone: str = ""
    largest_body: int = Field(default=1_000_000, ge=1000)


class Webhooks(_Section):
    """Where webhooks may lead beside public addresses, and how many seconds a receiver has to answer.

    In ``own_networks`` (as ``["10.1.0.0/16"]``) plain http is allowed too, to addresses that are written as such.
    """

    own_networks: tuple[IPv4Network | IPv6Network, ...] = ()
    patience: float = Field(default=10.0, gt=0, le=60)


class MailServer(_Section):
    """The mail server that notices to users go through; without a ``host`` they wait.

    ``tls`` is ``starttls`` (usual on port 587), ``tls`` (from the first byte, port 465) or ``none``; a password is only
    sent encrypted. ``ca_file`` holds certificates to trust in place of the system's. ``sender`` is who it comes from.
    """

    host: str = ""
    port: int = Field(default=587, ge=1, le=65535)
    sender: str = Field(default="pbx-plugin@localhost", pattern=r"^[^@\s<>,]+@[^@\s<>,]+$")
    tls: Literal["starttls", "tls", "none"] = "starttls"
    ca_file: Path | None = None
    user: str = ""
    password: SecretStr = SecretStr("")

    @model_validator(mode="after")
    def _no_password_in_clear(self) -> Self:
        if self.user and self.tls == "none":
            raise ValueError("tls is 'none' and there is a user: the password would go over the wire in clear")
        return self


class Settings(BaseSettings):
    """The whole configuration of one site."""

    model_config = SettingsConfigDict(frozen=True, extra="forbid", env_prefix="PBX_PLUGIN_", env_nested_delimiter="__")

    database: str = "sqlite:////var/lib/pbx-plugin/pbx-plugin.sqlite"
    ari: Ari = Ari()
    ami: Ami = Ami()
    agi: Agi = Agi()
    paths: Paths = Paths()
    dialplan: Dialplan = Dialplan()
    recorder: Recorder = Recorder()
    bridge: Bridge = Bridge()
    mail: MailServer = MailServer()
    api: Api = Api()
    portal: Portal = Portal()
    webhooks: Webhooks = Webhooks()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Environment wins over the file, so that a unit file can override one value."""
        del dotenv_settings, file_secret_settings
        return (init_settings, env_settings, TomlConfigSettingsSource(settings_cls))


def config_path() -> Path:
    """Return the configuration file in force: ``$PBX_PLUGIN_CONFIG``, else ``/etc/pbx-plugin/config.toml``."""
    return Path(os.environ.get(CONFIG_VARIABLE) or DEFAULT_CONFIG)


def load_settings(path: Path | None = None) -> Settings:
    """Read the settings from ``path``, else from the file in force.

    Raises SettingsError naming file and value when they cannot be used.
    """
    path = path or config_path()
    if not path.is_file():
        raise SettingsError(f"no configuration at {path}: run 'pbx-plugin init', or set {CONFIG_VARIABLE}")

    class _FromFile(Settings):
        model_config = SettingsConfigDict(toml_file=path)

    try:
        return _FromFile()
    except ValidationError as error:
        first = error.errors(include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise SettingsError(f"{path}: value {where!r}: {first['msg']}") from error
    except (OSError, ValueError) as error:
        raise SettingsError(f"{path} cannot be read: {error}") from error
