"""The dialplan of groups that are bridged by ourselves: our application first, Asterisk's own way behind it."""

from __future__ import annotations

from dataclasses import replace

import pytest
from company_builder import ASKED, PLAIN, Address, Names, company, generated
from dialplan_reader import Step, dialplan

from pbx_plugin.asterisk.escape import RenderError
from pbx_plugin.asterisk.render import render
from pbx_plugin.domain.bridging import Bridging
from pbx_plugin.domain.rulebook import Rulebook


def bridged() -> Rulebook:
    """The company whose groups are both bridged."""
    rules = company()
    return replace(rules, groups=tuple(replace(group, bridging=Bridging(on=True)) for group in rules.groups))


@pytest.mark.parametrize(("number", "group", "own_way"), [("800", ASKED, "Queue"), ("801", PLAIN, "Dial")])
def test_our_application_is_asked_first_and_asterisks_own_way_stays_behind_it(
    number: str, group: str, own_way: str
) -> None:
    steps = dialplan(generated(bridged())["extensions.conf"])["pbxrec-inside"][number]
    assert steps[1:5] == [
        Step("", "Gosub", f"pbxrec-presented,s,1({group})"),
        Step("", "Set", "PBXREC_HUNTED="),
        Step("", "Stasis", f"pbxrec-bridge,{group}"),
        Step("", "GotoIf", '$["${PBXREC_HUNTED}" = "yes"]?pbxrec-unanswered,s,1'),
    ]
    usual = dialplan(generated(company())["extensions.conf"])["pbxrec-inside"][number]
    assert steps[5:] == usual[2:]
    assert own_way in [step.application for step in steps[5:]]


def test_a_group_that_is_not_set_so_never_comes_to_our_application() -> None:
    assert "Stasis" not in generated(company())["extensions.conf"]


def test_the_application_is_the_settings_own_and_cannot_be_dialplan() -> None:
    secrets = {device: "0" * 32 for user in company().users for device in user.devices}
    assert "Stasis(mine," in render(bridged(), Names(), Address(), secrets, bridge_app="mine")["extensions.conf"]
    for evil in ("a,b", "a)b", "${X}", "a\nb", ""):
        with pytest.raises(RenderError, match="bridge application"):
            render(bridged(), Names(), Address(), secrets, bridge_app=evil)
