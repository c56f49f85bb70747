"""Phones that speak one codec which ours do not: an adapter of their own stands between them and the site.

The adapter is a second private Asterisk. To the site it is a user's phone, or an outside line, that knows that codec
alone; behind it is one of our ordinary phones, so that a test dials, keys and listens as ever.
"""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

from stage import Stage, wait_for

from pbx_plugin.sandbox.instance import AsteriskInstance
from pbx_plugin.sandbox.instance_ports import PortBlock
from pbx_plugin.sandbox.listening import heard_anywhere
from pbx_plugin.sandbox.phone import Phone
from pbx_plugin.sandbox.signals import Voice, write_voice
from pbx_plugin.sandbox.site_config import LOOPBACK_MEDIA, TRUNK_HOST

USER_BEHIND, LINE_BEHIND = "127.0.0.3", "127.0.0.4"
"""Where the two phones are; the adapter knows them by it."""

DIALPLAN = """[general]
[from-user]
exten => _[+0-9]!,1,Dial(PJSIP/${EXTEN}@to-site-as-user)
[from-line]
exten => _[+0-9]!,1,Dial(PJSIP/${EXTEN}@to-site-as-line)
[to-user]
exten => _[+0-9a-z]!,1,Dial(PJSIP/user)
[to-line]
exten => _[+0-9a-z]!,1,Dial(PJSIP/line)
"""


class Adapter:
    """``user`` is the phone of that extension, ``line`` somebody outside: both speak ``codec`` only, to the site."""

    def __init__(self, stage: Stage, folder: Path, codec: str, extension: str, voices: tuple[Voice, Voice]) -> None:
        self._ends = ExitStack()
        self._stage = stage
        block = PortBlock.take()
        user_sip, line_sip, inner, far_user, far_line = (block.port("udp") for _ in range(5))
        site = stage.site
        media = "".join(f"{key} = {value}\n" for key, value in LOOPBACK_MEDIA.items())
        common = f"type = endpoint\ndisallow = all\ndirect_media = no\n{media}"
        as_line = common.replace(f"media_address = {LOOPBACK_MEDIA['media_address']}", f"media_address = {TRUNK_HOST}")
        pjsip = (
            "[global]\ntype = global\nendpoint_identifier_order = ip\n"
            f"[as-user]\ntype = transport\nprotocol = udp\nbind = 127.0.0.1:{user_sip}\n"
            f"[as-line]\ntype = transport\nprotocol = udp\nbind = {TRUNK_HOST}:{line_sip}\n"
            f"[behind]\ntype = transport\nprotocol = udp\nbind = 127.0.0.5:{inner}\n"
            f"[to-site-as-user]\n{common}allow = {codec}\ntransport = as-user\ncontext = to-user\n"
            f"aors = site\noutbound_auth = user\nfrom_user = {extension}\nfrom_domain = {stage.server}\n"
            f"[to-site-as-line]\n{as_line}allow = {codec}\ntransport = as-line\ncontext = to-line\naors = site\n"
            f"[site]\ntype = aor\ncontact = sip:{stage.server}\n"
            "[to-site-as-user]\ntype = identify\nendpoint = to-site-as-user\nmatch = 127.0.0.1\n"
            f"[user]\ntype = auth\nauth_type = digest\nusername = {extension}\npassword = {site.secrets.phones}\n"
            f"[user]\ntype = registration\ntransport = as-user\noutbound_auth = user\n"
            f"server_uri = sip:{stage.server}\nclient_uri = sip:{extension}@{stage.server}\n"
            f"contact_user = {extension}\nretry_interval = 2\n"
        )
        for name, host, port in (("user", USER_BEHIND, far_user), ("line", LINE_BEHIND, far_line)):
            pjsip += (
                f"[{name}]\n{common}allow = alaw\ntransport = behind\ncontext = from-{name}\naors = {name}\n"
                f"[{name}]\ntype = aor\ncontact = sip:{host}:{port}\n"
                f"[{name}]\ntype = identify\nendpoint = {name}\nmatch = {host}\n"
            )
        self.asterisk = AsteriskInstance(
            folder / "pbx", {"pjsip.conf": pjsip, "extensions.conf": DIALPLAN}, ports=block, http_port=block.port("tcp")
        )
        self._ends.callback(self.asterisk.close)
        self._far = f"127.0.0.5:{inner}"
        self._folder = folder
        self._places = {"user": (USER_BEHIND, far_user, voices[0]), "line": (LINE_BEHIND, far_line, voices[1])}
        self._extension = extension
        self.number = stage.fresh_number()

    def __enter__(self) -> Self:
        try:
            self.asterisk.start()
            self.user, self.line = self._phone("user", self._extension), self._phone("line", self.number)
            wait_for(self._registered, f"{self._extension} to be registered by the adapter", 15.0)
        except BaseException:
            self._ends.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ends.close()

    def _registered(self) -> bool:
        return "Registered" in self.asterisk.rx("pjsip show registrations")

    def _phone(self, name: str, caller: str) -> Phone:
        host, port, voice = self._places[name]
        signal = write_voice(self._folder / f"{name}.wav", voice, seconds=20)
        phone = Phone.start(
            f"adapted {name}",
            user=name,
            address=host,
            port=port,
            server=self._far,
            caller=caller,
            signal=signal,
            record_dir=self._folder,
        )
        self._ends.enter_context(phone)
        return phone

    def heard(self, name: str, who: Voice) -> bool:
        """Whether the phone behind the adapter (``user`` or ``line``) has heard this voice."""
        return any(heard_anywhere(path, who) for path in self._folder.glob(f"adapted {name}-*.wav"))
