"""Where yes and no lead in the generated dialplan: a group, a user, or a place that an administrator wrote."""

from __future__ import annotations

from dataclasses import replace

import pytest
from company_builder import ANNA, ASKED, PLAIN, company, generated
from dialplan_reader import dialplan

from pbx_plugin.asterisk.escape import RenderError
from pbx_plugin.domain.rulebook import Rulebook


def asking(**change: str) -> Rulebook:
    rulebook = company()
    (number,) = rulebook.consent_numbers
    return replace(rulebook, consent_numbers=(replace(number, **change),))  # type: ignore[arg-type]


def ways(rulebook: Rulebook) -> dict[str, str]:
    steps = dialplan(generated(rulebook)["extensions.conf"])["pbxrec-inside"]["7000"]
    return {step.label: step.data for step in steps if step.application == "Goto"}


@pytest.mark.parametrize(
    ("change", "leads"),
    [
        ({}, {"yes": "pbxrec-inside,800,1", "no": "pbxrec-inside,801,1"}),
        ({"yes_group_id": "", "yes_user_id": ANNA}, {"yes": "pbxrec-inside,101,1", "no": "pbxrec-inside,801,1"}),
        ({"no_group_id": "", "no_user_id": ANNA}, {"yes": "pbxrec-inside,800,1", "no": "pbxrec-inside,101,1"}),
        ({"no_group_id": "", "no_place": "night-menu,s,1"}, {"yes": "pbxrec-inside,800,1", "no": "night-menu,s,1"}),
        ({"yes_group_id": "", "yes_place": "q,*55,12"}, {"yes": "q,*55,12", "no": "pbxrec-inside,801,1"}),
    ],
)
def test_yes_and_no_lead_where_they_are_set_to(change: dict[str, str], leads: dict[str, str]) -> None:
    assert ways(asking(**change)) == leads


@pytest.mark.parametrize(
    "place",
    [
        "menu", "menu,s", "menu,s,", "menu,s,0", "menu,s,n", "menu,s,1,x", ",s,1", "menu,,1", "me nu,s,1",
        "general,s,1",
        "menu,${EXTEN},1", "menu,${SHELL(id)},1", "menu,s,1)\n same => n,System(id)", "menu,s;x,1", "menu,s&t,1",
        "menu,s|t,1", "menu,_X.,1", "menü,s,1", "menu,s,\u0661", "menu,s,1\n", "x" * 61 + ",s,1",
        "menu," + "1" * 41 + ",1",
    ],
)  # fmt: skip
def test_a_place_with_anything_but_plain_names_is_refused(place: str) -> None:
    with pytest.raises(RenderError, match="consent number '7000', yes"):
        generated(asking(yes_group_id="", yes_place=place))


@pytest.mark.parametrize(
    "change",
    [
        {"yes_group_id": ""},
        {"yes_user_id": ANNA},
        {"yes_place": "menu,s,1"},
        {"no_group_id": "", "no_user_id": ANNA, "no_place": "menu,s,1"},
        {"yes_group_id": "gone"},
        {"yes_group_id": "", "yes_user_id": "gone"},
    ],
)
def test_an_answer_that_leads_nowhere_or_to_two_things_is_refused(change: dict[str, str]) -> None:
    assert ASKED != PLAIN
    with pytest.raises(RenderError, match="consent number '7000'"):
        generated(asking(**change))
