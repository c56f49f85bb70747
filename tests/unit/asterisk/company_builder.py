"""A small company whose numbers the tests read back from generated files."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from pbx_plugin.asterisk.render import Pjsip, TrunkLine, render
from pbx_plugin.domain.call import User
from pbx_plugin.domain.policy import GroupKind, HuntGroup
from pbx_plugin.domain.rulebook import ConsentNumber, DirectNumber, GroupMember, Rulebook, Tenant

ANNA, BENT, CARLA = "0000000a", "0000000b", "0000000c"
ASKED, PLAIN = "a0000001", "a0000002"
CONSENT = "c0000001"


@dataclass(frozen=True)
class Names:
    from_users: str = "pbxrec-users"
    from_trunk: str = "pbxrec-trunk"
    trunk: str = "trunk"
    pjsip: bool = True
    toggle_digit: str = "4"
    pause_digit: str = "5"
    withdraw_digit: str = "6"
    transfer_codes: bool = False
    pjsip_options: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Address:
    host: str = "127.0.0.1"
    port: int = 4583


def company(
    names: tuple[str, str, str] = ("Anna", "Bent", "Carla"),
    *,
    devices: tuple[str, ...] = ("PJSIP/101",),
    extension: str = "101",
    queue: str = "asked",
    group_number: str = "800",
    group_id: str = ASKED,
    consent_number: str = "7000",
    ddi: str = "+4533120101",
    tenant_name: str = "Firm",
    purpose: str = "quality",
) -> Rulebook:
    """Three users, a queue (`ASKED`) and a ring group (`PLAIN`), a consent number and three direct numbers."""
    users = (
        User(ANNA, "t1", names[0], extension, devices=devices),
        User(BENT, "t1", names[1], "102", devices=("PJSIP/102",)),
        User(CARLA, "t1", names[2], "103"),
    )
    groups = (
        HuntGroup(group_id, "t1", group_number, queue, GroupKind.QUEUE),
        HuntGroup(PLAIN, "t1", "801", names[0], GroupKind.RING_GROUP),
    )
    members = tuple(GroupMember(group, user, n) for group in (group_id, PLAIN) for n, user in enumerate((ANNA, BENT)))
    direct = (
        DirectNumber(ddi, "t1", user_id=ANNA),
        DirectNumber("+4533120800", "t1", group_id=group_id),
        DirectNumber("+4533127000", "t1", consent_number_id=CONSENT),
    )
    return Rulebook(
        1,
        {"t1": Tenant("t1", tenant_name)},
        users,
        groups,
        members,
        (ConsentNumber(CONSENT, "t1", consent_number, "en", group_id, PLAIN, purpose),),
        direct,
    )


def generated(rulebook: Rulebook, *, witness: str = "", **names: object) -> dict[str, str]:
    """Every file, with PJSIP and an outside line."""
    secrets = {d: "0123456789abcdef" * 2 for user in rulebook.users for d in user.devices}
    line = TrunkLine(match=("127.0.0.9",), contact="sip:127.0.0.9:5080")
    pjsip = Pjsip(bind="127.0.0.1:5099", trunk=line)
    return render(rulebook, Names(**names), Address(), secrets, pjsip, witness=witness)  # type: ignore[arg-type]
