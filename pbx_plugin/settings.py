"""One frozen settings object, from a TOML file and the environment (``PBX_PLUGIN_ARI__PORT=8088`` …).

Secrets may stand in the file (mode 0640) or come by environment; they are ``SecretStr`` and never printed.
"""

from __future__ import annotations

import os
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

DEFAULT_CONFIG = Path("/etc/pbx-plugin/config.toml")
CONFIG_VARIABLE = "PBX_PLUGIN_CONFIG"


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
    def prompts(self) -> Path:
        """Folder of the spoken prompts, one folder a language."""
        return self.state / "prompts"

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
    pjsip_options: dict[str, str] = {}


class Recorder(_Section):
    """The recorder's own limits, in seconds unless the name says otherwise."""

    heartbeat: float = 5.0
    heartbeat_patience: float = 3.0
    rulebook_refresh: float = 1.0
    shortest_ms: int = 200


class Bridge(_Section):
    """The application that rings and bridges hunt groups, in seconds unless the name says otherwise.

    ``app`` is its Stasis application. ``digit_timeout_ms`` is how long a star waits for the digit behind it.
    """

    app: str = Field(default="pbxrec-bridge", pattern=r"^[A-Za-z0-9_-]+$")
    heartbeat: float = 5.0
    heartbeat_patience: float = 3.0
    rulebook_refresh: float = 1.0
    digit_timeout_ms: int = 1000


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
