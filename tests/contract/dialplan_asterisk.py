"""An Asterisk whose administrator has added the include lines and a few probes, and a company to generate from."""

import asyncio
import hashlib
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from pydantic import SecretStr

from pbx_plugin.asterisk.ami import AmiClient
from pbx_plugin.asterisk.install import NAMES
from pbx_plugin.asterisk.render import Pjsip, TrunkLine, manager_conf, render
from pbx_plugin.domain.call import User
from pbx_plugin.domain.policy import GroupKind, HuntGroup
from pbx_plugin.domain.rulebook import ConsentNumber, DirectNumber, GroupMember, Rulebook, Tenant
from pbx_plugin.sandbox.instance import AsteriskInstance
from pbx_plugin.sandbox.instance_ports import PortBlock
from pbx_plugin.settings import Agi, Ami, Dialplan

ASKED, PLAIN, WAITING = "a0000001", "a0000002", "a0000003"

PASSWORD = "the phones' password"
LINE_ADDRESS = "127.0.0.9"

EXECUTED = re.compile(r'Executing \[.*\] (\w+)\(".*", "(.*)"\) in new stack')

PROBES = """
[general]
[administrators-own]
exten => 1,1,NoOp(untouched)

[probe]
; Each leaves what it saw in the database, under its own name.
exten => presented,1,Gosub(pbxrec-presented,s,1(a0000001))
 same => n,Gosub(pbxrec-presented,s,1(a0000002))
 same => n,Gosub(pbxrec-presented,s,1(a0000001))
 same => n,Gosub(pbxrec-presented,s,1(a000))
 same => n,Set(DB(probe/presented)=${PBXREC_PRESENTED})
exten => features,1,Set(DYNAMIC_FEATURES=own#pbxrec-toggle-not)
 same => n,Gosub(pbxrec-callee,s,1)
 same => n,Gosub(pbxrec-callee,s,1)
 same => n,Set(DB(probe/features)=${DYNAMIC_FEATURES}/${TRANSFER_CONTEXT})
exten => outsider,1,Gosub(pbxrec-caller,s,1)
 same => n,Set(DB(probe/outsider)=(${DYNAMIC_FEATURES}/${TRANSFER_CONTEXT}))
exten => _call-X.,1,Set(CHANNEL(hangup_handler_push)=probe-end,s,1(${EXTEN}))
 same => n,Goto(pbxrec-inside,${EXTEN:5},1)
exten => _refused-X.,1,Set(__PBXREC_CONSENT=refused)
 same => n,Set(CHANNEL(hangup_handler_push)=probe-end,s,1(${EXTEN}))
 same => n,Goto(pbxrec-inside,${EXTEN:8},1)
exten => _ddi-.,1,Set(CHANNEL(hangup_handler_push)=probe-end,s,1(${EXTEN}))
 same => n,Goto(pbxrec-trunk,${EXTEN:4},1)

[probe-end]
exten => s,1,Set(DB(probe/${ARG1})=${PBXREC_CONSENT}/${PBXREC_PRESENTED}/${PBXREC_DDI})
 same => n,Return()
"""


def company(names: tuple[str, str] = ("Anna", "Bent"), *, group: str = "asked") -> Rulebook:
    """Two users, two ring groups behind consent number 7000, a queue, and three direct numbers."""
    users = tuple(User(f"0000000{n}", "t1", name, str(101 + n), devices=(f"PJSIP/{101 + n}",))
                  for n, name in enumerate(names))  # fmt: skip
    groups = (
        HuntGroup(ASKED, "t1", "800", "", GroupKind.RING_GROUP),
        HuntGroup(PLAIN, "t1", "801", "", GroupKind.RING_GROUP),
        HuntGroup(WAITING, "t1", "802", group, GroupKind.QUEUE),
    )
    members = tuple(GroupMember(g.id, u.id, n) for g in groups for n, u in enumerate(users))
    consent = ConsentNumber("c0000001", "t1", "7000", "en", ASKED, PLAIN)
    direct = (
        DirectNumber("+4533120101", "t1", user_id=users[0].id),
        DirectNumber("+4533120800", "t1", group_id=ASKED),
        DirectNumber("+4533127000", "t1", consent_number_id=consent.id),
    )
    return Rulebook(1, {"t1": Tenant("t1", "Firm")}, users, groups, members, (consent,), direct)


@dataclass
class Site:
    """A running Asterisk, where its files are, and how to reach it."""

    asterisk: AsteriskInstance
    etc: Path
    ami: Ami
    administrator: Ami
    agi: Agi
    sip_port: int
    line_port: int

    def generated(self, rulebook: Rulebook) -> dict[str, str]:
        """Every file, with PJSIP, for this Asterisk."""
        secrets = {
            device: hashlib.md5(f"{device[6:]}:asterisk:{PASSWORD}".encode()).hexdigest()
            for user in rulebook.users
            for device in user.devices
        }
        pjsip = Pjsip(trunk=TrunkLine(match=(LINE_ADDRESS,), contact=f"sip:{LINE_ADDRESS}:{self.line_port}"))
        options = {"media_address": self.asterisk.host, "bind_rtp_to_media_address": "yes"}
        return render(rulebook, Dialplan(pjsip=True, pjsip_options=options), self.agi, secrets, pjsip)

    def extensions(self) -> dict[str, set[str]]:
        """What Asterisk's dialplan holds: the extensions of every context."""
        found: dict[str, set[str]] = {}
        context = ""
        for line in self.asterisk.rx("dialplan show").splitlines():
            if head := re.match(r"\[ Context '(.+?)' created by", line):
                context = head.group(1)
                found[context] = set()
            elif extension := re.match(r"  '(.+?)' => ", line):
                found[context].add(extension.group(1))
        return found

    def probe(self, name: str) -> str:
        """Run a probe and return what it left in the database."""
        self.asterisk.rx(f"database del probe {name}")
        self._originate(f"Local/{name}@probe/n")
        left: list[str] = []

        def has_left() -> bool:
            answer = self.asterisk.rx(f"database get probe {name}")
            left[:] = re.findall(r"^Value: (.*)$", answer, re.MULTILINE)
            return bool(left)

        assert wait_until(has_left), f"probe {name} left nothing:\n{self.asterisk.log_tail()}"
        return left[0].strip()

    def dial(self, number: str, context: str) -> list[str]:
        """Dial from inside a context; the applications that ran there, until the call ended or a phone was rung."""
        start = self.asterisk.log_path.stat().st_size
        self._originate(f"Local/{number}@{context}/n")
        ran: list[str] = []

        def has_ended() -> bool:
            with self.asterisk.log_path.open("rb") as log:
                log.seek(start)
                text = log.read().decode(errors="replace")
            ran[:] = [f"{application}({data})" for application, data in EXECUTED.findall(text)]
            return any(step.startswith(("Hangup", "Dial")) for step in ran)

        assert wait_until(has_ended), self.asterisk.log_tail()
        self.asterisk.rx("channel request hangup all")
        return ran

    def _originate(self, channel: str) -> None:
        # By the manager, which takes a channel's name as it is; the command line would take quotes and blanks away.
        async def originate() -> None:
            async with AmiClient(self.administrator) as ami:
                await ami.action(
                    {"Action": "Originate", "Channel": channel, "Application": "Wait", "Data": "1", "Async": "true"}
                )

        asyncio.run(originate())


def site(folder: Path) -> Site:
    """A site that is not started yet."""
    ports = PortBlock.take()
    port = ports.port("tcp")
    configs = {name: f'[general]\n#tryinclude "pbx-plugin.d/{name}"\n' for name in NAMES}
    configs["extensions.conf"] = PROBES + configs["extensions.conf"].replace("[general]\n", "")
    # The administrator has a section of the same name as ours, behind the include.
    configs["features.conf"] = (
        '#tryinclude "pbx-plugin.d/features.conf"\n[general]\n[applicationmap]\nown => *7,self,NoOp\n'
    )
    sip_port = ports.port("udp")
    bind = f"{ports.host}:{sip_port}"
    configs["pjsip.conf"] = (
        f'#tryinclude "pbx-plugin.d/pjsip.conf"\n[udp]\ntype = transport\nprotocol = udp\nbind = {bind}\n'
    )
    configs["manager.conf"] = (
        manager_conf("pbxrec", "correct-horse", ports.host, port)
        + "\n[administrator]\nsecret = battery-staple\nread = all\nwrite = all\n"
    )
    asterisk = AsteriskInstance(folder, configs, ports=ports)
    return Site(
        asterisk,
        asterisk.folder / "etc",
        Ami(host=ports.host, port=port, user="pbxrec", secret=SecretStr("correct-horse")),
        Ami(host=ports.host, port=port, user="administrator", secret=SecretStr("battery-staple")),
        Agi(host=ports.host, port=ports.port("tcp")),
        sip_port,
        ports.port("udp"),
    )


def wait_until(true: Callable[[], bool], seconds: float = 5.0) -> bool:
    """Ask again and again, for so many seconds."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if true():
            return True
        time.sleep(0.02)
    return true()
