"""The company that lives in the sandbox: who is recorded how, which numbers lead where."""

from __future__ import annotations

from dataclasses import dataclass

from pbx_plugin.domain.bridging import NOT_BRIDGED, Bridging
from pbx_plugin.domain.call import Mode
from pbx_plugin.domain.policy import GroupKind
from pbx_plugin.services import groups, numbers_service, people, policies
from pbx_plugin.services.audit import Desk
from pbx_plugin.services.numbers_service import ConsentWish
from pbx_plugin.services.people import PersonWish

COMPANY = "Sandbox A/S"
COUNTRY = "DK"


@dataclass(frozen=True, slots=True)
class Resident:
    """A user of the sandbox: phone account and extension are the same number."""

    extension: str
    name: str
    mode: Mode
    enrolled: bool = True
    may_pause: bool = False


@dataclass(frozen=True, slots=True)
class Hunt:
    """A hunt group of the sandbox, its members, and its policy's word."""

    number: str
    name: str
    kind: GroupKind
    policy: str
    members: tuple[str, ...]
    bridging: Bridging = NOT_BRIDGED


CONSENT, REFUSED, NO_POLICY = "always (consent via IVR)", "never (refused via IVR)", "not applicable"

RESIDENTS = (
    Resident("201", "Anna Always", Mode.ALWAYS),
    Resident("202", "Asger Always", Mode.ALWAYS),
    Resident("203", "Agnes Always", Mode.ALWAYS, may_pause=True),
    Resident("211", "Oda On-Demand", Mode.ON_DEMAND),
    Resident("212", "Otto On-Demand", Mode.ON_DEMAND, may_pause=True),
    Resident("213", "Olga On-Demand", Mode.ON_DEMAND),
    Resident("221", "Nina Never", Mode.NEVER),
    Resident("222", "Nils Never", Mode.NEVER),
    Resident("223", "Nora Never", Mode.NEVER),
    Resident("229", "Ulla Unenrolled", Mode.ALWAYS, enrolled=False),
    Resident("231", "Rikke Ring", Mode.ON_DEMAND),
    Resident("232", "Rasmus Ring", Mode.ON_DEMAND),
    Resident("233", "Sara Silent", Mode.ALWAYS),
    Resident("234", "Simon Silent", Mode.ALWAYS),
    Resident("235", "Kirsten Queue", Mode.ON_DEMAND),
    Resident("236", "Kaj Queue", Mode.ON_DEMAND),
    Resident("237", "Vera Waiting", Mode.ALWAYS),
    Resident("238", "Viggo Waiting", Mode.ALWAYS),
    Resident("239", "Pia Plain", Mode.ALWAYS),
    Resident("241", "Birgit Bridged", Mode.ALWAYS),
    Resident("242", "Bo Bridged", Mode.ALWAYS),
    Resident("243", "Bodil Bridged", Mode.ALWAYS),
    Resident("244", "Bent Asked", Mode.ON_DEMAND),
    Resident("245", "Berit Refused", Mode.ALWAYS),
)

OURS = Bridging(on=True, ring_seconds=8, wait_seconds=30)
"""Rung and bridged by ``pbx-plugin bridge``."""

HUNTS = (
    Hunt("601", "ring-recorded", GroupKind.RING_GROUP, CONSENT, ("231", "232")),
    Hunt("602", "ring-unrecorded", GroupKind.RING_GROUP, REFUSED, ("233", "234")),
    Hunt("603", "queue-recorded", GroupKind.QUEUE, CONSENT, ("235", "236")),
    Hunt("604", "queue-unrecorded", GroupKind.QUEUE, REFUSED, ("237", "238")),
    Hunt("605", "ring-plain", GroupKind.RING_GROUP, NO_POLICY, ("239",)),
    Hunt("606", "bridged", GroupKind.RING_GROUP, NO_POLICY, ("241", "242", "243"), OURS),
    Hunt("607", "bridged-recorded", GroupKind.RING_GROUP, CONSENT, ("244",), OURS),
    Hunt("608", "bridged-unrecorded", GroupKind.RING_GROUP, REFUSED, ("245",), OURS),
)

CONSENT_NUMBERS = {
    "701": ("601", "602", "en"),
    "702": ("603", "604", "da"),
    "703": ("601", "605", "en"),
    "704": ("607", "608", "en"),
}
"""Number dialled: groups for yes and no, language."""

WHITELISTED_DDI, WHITELISTED_USER = "+4570100900", "213"


def ddi_of(extension: str) -> str:
    """Return the direct number that leads to an extension, a group or a consent number of the sandbox."""
    return f"+4570100{extension}"


def populate(desk: Desk) -> None:
    """Fill an empty company's directory and apply its first policy."""
    for one in RESIDENTS:
        wish = PersonWish(
            name=one.name,
            extension=one.extension,
            ddi=ddi_of(one.extension),
            mode=one.mode,
            may_pause=one.may_pause,
            devices=[f"PJSIP/{one.extension}"],
        )
        person = people.add(desk, wish)
        if one.enrolled:
            people.enrol(desk, person, one.mode)
    for hunt in HUNTS:
        groups.add(desk, hunt.name, hunt.number, hunt.kind, hunt.members, hunt.bridging)
    for number, (yes, no, language) in CONSENT_NUMBERS.items():
        asked = ConsentWish(number=number, yes=yes, no=no, language=language, timeout_ms=3000)
        numbers_service.add_consent(desk, asked)
        numbers_service.add_ddi(desk, ddi_of(number), consent=number)
    for hunt in HUNTS:
        numbers_service.add_ddi(desk, ddi_of(hunt.number), group=hunt.number)
    numbers_service.add_ddi(desk, WHITELISTED_DDI, user=WHITELISTED_USER)
    document = {
        "groups": {hunt.name: hunt.policy for hunt in HUNTS},
        "whitelisted_ddis": [WHITELISTED_DDI],
    }
    policies.apply(desk, document, comment="the sandbox's first policy")
