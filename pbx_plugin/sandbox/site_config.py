"""The configuration of a sandbox: Asterisk's own files beside the generated ones, and the product's settings file."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from pathlib import Path

from sqlalchemy import URL

from pbx_plugin.asterisk.install import FOLDER
from pbx_plugin.asterisk.render import ari_conf, manager_conf
from pbx_plugin.domain.toml_text import toml_value
from pbx_plugin.sandbox import site_extras

TRUNK_HOST = "127.0.0.2"
"""The outside world's address: whoever calls from here is a caller on the company's line."""

OUTSIDE_ACCOUNTS = ("outside1", "outside2", "outside3", "outside4")
"""SIP accounts of outside callers, for programs that cannot bind another address. Any From number is believed."""

LOOPBACK_MEDIA = {"media_address": "127.0.0.1", "bind_rtp_to_media_address": "yes"}
"""Without these Asterisk asks the name servers for its own address and each call waits 5 s for the answer."""


@dataclass(frozen=True, slots=True)
class Ports:
    """Where the sandbox listens, all on the loopback."""

    sip: int
    trunk: int
    http: int
    ami: int
    agi: int
    api: int
    portal: int = 0


@dataclass(frozen=True, slots=True)
class Secrets:
    """What was made up for this sandbox alone. Never shown by ``repr``."""

    ari: str = field(repr=False)
    ami: str = field(repr=False)
    phones: str = field(repr=False)


def digest_of(user: str, password: str) -> str:
    """Return the MD5 digest that PJSIP keeps for a phone's password (RFC 2617's HA1 in Asterisk's realm)."""
    return hashlib.md5(f"{user}:asterisk:{password}".encode(), usedforsecurity=False).hexdigest()


def asterisk_files(ports: Ports, secrets: Secrets) -> dict[str, str]:
    """Return the sandbox administrator's own files: they include the generated ones and are not touched again."""
    include = f'#tryinclude "{FOLDER}/{{}}"\n'
    return {
        "ari.conf": ari_conf("pbxrec", secrets.ari, whole=True),
        "manager.conf": manager_conf("pbxrec", secrets.ami, "127.0.0.1", ports.ami),
        "extensions.conf": "[general]\nstatic = yes\nwriteprotect = yes\n"
        + site_extras.BEFORE
        + include.format("extensions.conf")
        + site_extras.EXTENSIONS,
        "features.conf": site_extras.FEATURES + include.format("features.conf"),
        "queues.conf": "[general]\n" + include.format("queues.conf") + site_extras.QUEUES,
        "res_parking.conf": site_extras.PARKING,
        "voicemail.conf": site_extras.VOICEMAIL_BOXES,
        "pjsip.conf": _pjsip(ports, secrets) + include.format("pjsip.conf"),
    }


def _pjsip(ports: Ports, secrets: Secrets) -> str:
    media = "".join(f"{key} = {value}\n" for key, value in LOOPBACK_MEDIA.items())
    codecs = "disallow = all\nallow = alaw,ulaw,g722,gsm,opus\ndirect_media = no\ndtmf_mode = auto_info\n"
    text = (
        "[global]\ntype = global\nendpoint_identifier_order = ip,username,auth_username,anonymous\n"
        f"[udp]\ntype = transport\nprotocol = udp\nbind = 127.0.0.1:{ports.sip}\n"
        f"[trunk]\ntype = endpoint\ncontext = pbxrec-trunk\naors = trunk\ntrust_id_inbound = yes\n{codecs}{media}"
        f"[trunk]\ntype = aor\ncontact = sip:{TRUNK_HOST}:{ports.trunk}\n"
        f"[trunk]\ntype = identify\nendpoint = trunk\nmatch = {TRUNK_HOST}\n"
    )
    for name in OUTSIDE_ACCOUNTS:
        text += (
            f"[{name}]\ntype = endpoint\ncontext = pbxrec-trunk\nauth = {name}\naors = {name}\n"
            f"identify_by = username,auth_username\n{codecs}{media}"
            f"[{name}]\ntype = auth\nauth_type = userpass\nusername = {name}\npassword = {secrets.phones}\n"
            f"[{name}]\ntype = aor\nmax_contacts = 5\nremove_existing = yes\n"
        )
    return text


def settings_toml(ports: Ports, secrets: Secrets, folder: Path, spool: Path, etc: Path) -> str:
    """Return the product's configuration for this sandbox."""
    phones = LOOPBACK_MEDIA | site_extras.PHONE_OPTIONS
    database = URL.create("sqlite", database=str(folder / "state" / "pbx-plugin.sqlite")).render_as_string()
    options = "".join(f"{key} = {toml_value(value)}\n" for key, value in phones.items())
    return f"""\
database = {toml_value(database)}

[ari]
port = {ports.http}
user = "pbxrec"
password = {toml_value(secrets.ari)}

[ami]
port = {ports.ami}
user = "pbxrec"
secret = {toml_value(secrets.ami)}

[agi]
port = {ports.agi}

[api]
port = {ports.api}

[portal]
port = {ports.portal}

[paths]
state = {toml_value(str(folder / "state"))}
archive = {toml_value(str(folder / "archive"))}
spool = {toml_value(str(spool))}
asterisk_etc = {toml_value(str(etc))}

[dialplan]
pjsip = true
transfer_codes = true

[dialplan.pjsip_options]
{options}"""
