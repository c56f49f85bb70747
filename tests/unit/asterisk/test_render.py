"""What a phone or a line can reach in the generated dialplan, read back with a reader that knows none of our code."""

import re

import pytest
from company_builder import ANNA, ASKED, CONSENT, PLAIN, Address, Names, company, generated
from dialplan_reader import Dialplan, Step, dialplan, sections

from pbx_plugin.asterisk.escape import RenderError
from pbx_plugin.asterisk.render import Pjsip, TrunkLine, ari_conf, content_hash, manager_conf, render, version_of
from pbx_plugin.asterisk.templates import fill
from pbx_plugin.domain.policy import PolicyVersion
from pbx_plugin.domain.rulebook import DirectNumber, Rulebook


@pytest.fixture
def plan() -> Dialplan:
    return dialplan(generated(company())["extensions.conf"])


def leads_to(plan: Dialplan, context: str, number: str) -> list[str]:
    """Follow plain Goto()s from a number; the contexts and numbers on the way."""
    way = []
    for step in plan[context].get(number, []):
        if step.application == "Goto" and step.label == "":
            to, extension, _ = step.data.split(",")
            way += [f"{extension}@{to}", *leads_to(plan, to, extension)]
    return way


def applications(plan: Dialplan, context: str, number: str) -> list[str]:
    return [step.application for step in plan[context][number]]


def test_a_user_dials_a_colleague_and_both_phones_have_the_star_code(plan: Dialplan) -> None:
    assert plan["pbxrec-inside"]["101"] == [
        Step("", "Gosub", "pbxrec-caller,s,1"),
        Step("", "Dial", "PJSIP/101,30,b(pbxrec-callee^s^1)"),
        Step("", "Goto", "pbxrec-unanswered,s,1"),
    ]


def test_a_user_without_a_phone_is_absent(plan: Dialplan) -> None:
    assert plan["pbxrec-inside"]["103"][-1] == Step("", "Hangup", "20")
    assert "Dial" not in applications(plan, "pbxrec-inside", "103")


def test_emergency_numbers_are_looked_up_first_and_are_nothing_but_a_call_out(plan: Dialplan) -> None:
    assert [step.data for step in plan["pbxrec-users"]["include"]] == [
        "pbxrec-emergency",
        "pbxrec-inside",
        "pbxrec-outside",
    ]
    assert set(plan["pbxrec-emergency"]) == {"112", "911", "999", "000"}
    assert plan["pbxrec-emergency"]["112"] == [
        Step("", "Dial", "PJSIP/112@trunk"),
        Step("", "Goto", "pbxrec-unanswered,s,1"),
    ]


def test_the_emergency_numbers_are_those_of_every_company_policy() -> None:
    rulebook = company()
    policies = {"t1": PolicyVersion("t1", emergency_numbers=("110", "112"))}
    rulebook = Rulebook(1, rulebook.tenants, policies=policies)
    assert set(dialplan(generated(rulebook)["extensions.conf"])["pbxrec-emergency"]) == {"110", "112"}


def test_a_site_without_any_company_still_reaches_help() -> None:
    assert "112" in dialplan(generated(Rulebook())["extensions.conf"])["pbxrec-emergency"]


@pytest.mark.parametrize("spelling", ["+4533120101", "4533120101", "004533120101", "33120101"])
def test_a_direct_number_is_known_in_every_spelling_a_carrier_may_send(plan: Dialplan, spelling: str) -> None:
    assert leads_to(plan, "pbxrec-trunk", spelling) == [
        "+4533120101@pbxrec-ddi",
        "101@pbxrec-inside",
        "s@pbxrec-unanswered",
    ]


def test_a_direct_number_marks_the_call_with_itself_unless_it_has_a_mark(plan: Dialplan) -> None:
    marks = [step.data for step in plan["pbxrec-ddi"]["+4533120800"] if step.application == "ExecIf"]
    assert marks == ['$["${PBXREC_DDI}" = ""]?Set(__PBXREC_DDI=+4533120800)']


def test_a_direct_number_may_lead_to_a_group_or_a_consent_number(plan: Dialplan) -> None:
    assert leads_to(plan, "pbxrec-ddi", "+4533120800")[0] == "800@pbxrec-inside"
    assert leads_to(plan, "pbxrec-ddi", "+4533127000")[0] == "7000@pbxrec-inside"


def test_a_country_with_a_trunk_prefix_has_two_national_spellings() -> None:
    plan = dialplan(generated(company(ddi="+31201234567"))["extensions.conf"])
    assert {"201234567", "0201234567", "0031201234567"} <= set(plan["pbxrec-trunk"])


def test_a_national_spelling_that_two_numbers_share_is_nobodys() -> None:
    rulebook = company(ddi="+4533120101")
    swedish = DirectNumber("+4633120101", "t1", user_id=ANNA)
    both = Rulebook(
        1, rulebook.tenants, rulebook.users, rulebook.groups, rulebook.members, rulebook.consent_numbers,
        (*rulebook.direct_numbers, swedish),
    )  # fmt: skip
    plan = dialplan(generated(both)["extensions.conf"])
    assert "33120101" not in plan["pbxrec-trunk"]
    assert {"+4533120101", "+4633120101", "4633120101"} <= set(plan["pbxrec-trunk"])


def test_a_spelling_that_is_a_consent_number_is_the_consent_numbers() -> None:
    plan = dialplan(generated(company(consent_number="33120101"))["extensions.conf"])
    assert leads_to(plan, "pbxrec-trunk", "33120101")[0] == "33120101@pbxrec-inside"
    assert leads_to(plan, "pbxrec-trunk", "4533120101")[0] == "+4533120101@pbxrec-ddi"


def test_a_consent_number_that_is_a_direct_number_is_marked_with_it() -> None:
    plan = dialplan(generated(company(consent_number="+4533127000"))["extensions.conf"])
    assert leads_to(plan, "pbxrec-trunk", "+4533127000")[:2] == ["+4533127000@pbxrec-ddi", "+4533127000@pbxrec-inside"]


def test_nobody_from_outside_gets_outside_again(plan: Dialplan) -> None:
    """Walk every number from the line's context, through every Goto, Gosub and include."""
    seen: set[tuple[str, str]] = set()
    todo = [("pbxrec-trunk", number) for number in plan["pbxrec-trunk"]]
    while todo:
        context, number = todo.pop()
        if (context, number) in seen:
            continue
        seen.add((context, number))
        assert not number.startswith("_")
        for step in plan[context][number]:
            assert step.application != "include"
            assert "@trunk" not in step.data
            if step.application in ("Goto", "Gosub"):
                to, extension, _ = step.data.split(",", 2)
                todo.append((to, extension))
    assert ("pbxrec-inside", "800") in seen


def test_a_consent_number_can_be_dialled_from_outside_as_it_stands(plan: Dialplan) -> None:
    assert leads_to(plan, "pbxrec-trunk", "7000")[0] == "7000@pbxrec-inside"


def test_consent_is_required_before_anybody_asks_and_only_a_yes_leads_to_the_recorded_group(plan: Dialplan) -> None:
    steps = plan["pbxrec-inside"]["7000"]
    assert steps[1:] == [
        Step("", "GotoIf", '$["${PBXREC_CONSENT}" = "refused"]?no'),
        Step("", "Set", "__PBXREC_CONSENT=required"),
        Step("", "Gosub", "pbxrec-witness,s,1"),
        Step("", "Set", "PBXREC_ROUTE="),
        Step("", "ExecIf", '${REGEX("[[:cntrl:]]" ${CALLERID(num)})}?Set(CALLERID(num)=)'),
        Step("", "ExecIf", '${REGEX("[[:cntrl:]]" ${CALLERID(name)})}?Set(CALLERID(name)=)'),
        Step("", "ExecIf", '${REGEX("[[:cntrl:]]" ${REDIRECTING(from-num)})}?Set(REDIRECTING(from-num)=)'),
        Step("", "AGI", f"agi://127.0.0.1:4583/consent,{CONSENT}"),
        Step("", "Gosub", "pbxrec-witness,s,1"),
        Step("", "GotoIf", '$["${PBXREC_ROUTE}" = "yes"]?yes:no'),
        Step("yes", "Goto", "pbxrec-inside,800,1"),
        Step("no", "Goto", "pbxrec-inside,801,1"),
    ]


def test_the_log_is_told_of_marks_without_a_step_that_could_end_the_call(plan: Dialplan) -> None:
    (told, back) = plan["pbxrec-witness"]["s"]
    assert told.application == "TryExec"
    assert told.data.startswith("CELGenUserEvent(PBXRecMarks,${PBXREC_CONSENT}|${PBXREC_EVIDENCE}|")
    assert back.application == "Return"


def test_the_witness_is_a_file_that_leads_nowhere_else() -> None:
    text = generated(company(), witness="/var/lib/pbx-plugin/witness/events.csv")["cel_custom.conf"]
    assert "[mappings](+)" in text
    (line,) = [line for line in text.splitlines() if " => " in line]
    name, _, columns = line.partition(" => ")
    assert name.lstrip("./") == "var/lib/pbx-plugin/witness/events.csv"
    assert columns.startswith("pbxrec1,${eventtype},")
    assert ";" not in columns, "Asterisk would take the rest for a comment"
    for path in ("relative/events.csv", "/var/../etc/passwd", "/var/lib/a b", "/var/x;y", "/var/x\ny"):
        with pytest.raises(RenderError, match="witness"):
            generated(company(), witness=path)


def test_a_queue_carries_its_id_before_anyone_rings(plan: Dialplan) -> None:
    assert plan["pbxrec-inside"]["800"][1:4] == [
        Step("", "Gosub", f"pbxrec-presented,s,1({ASKED})"),
        Step("", "Answer", ""),
        Step("", "Queue", "asked,b(pbxrec-callee^s^1),,,300"),
    ]


def test_a_ring_group_rings_all_its_members_phones(plan: Dialplan) -> None:
    assert plan["pbxrec-inside"]["801"][1:3] == [
        Step("", "Gosub", f"pbxrec-presented,s,1({PLAIN})"),
        Step("", "Dial", "PJSIP/101&PJSIP/102,60,b(pbxrec-callee^s^1)"),
    ]


def test_codes_for_transfer_are_users_alone_and_only_where_wanted() -> None:
    assert "RIGHTS" not in generated(company())["extensions.conf"]
    plan = dialplan(generated(company(), transfer_codes=True)["extensions.conf"])
    assert plan["pbxrec-inside"]["101"][1].data == "PJSIP/101,30,b(pbxrec-callee^s^1)tk${PBXREC_RIGHTS}"
    assert plan["pbxrec-inside"]["800"][3].data == "asked,b(pbxrec-callee^s^1)tk${PBXREC_RIGHTS},,,300"
    assert plan["pbxrec-inside"]["801"][2].data == "PJSIP/101&PJSIP/102,60,b(pbxrec-callee^s^1)tk${PBXREC_RIGHTS}"
    # Whom a user calls outside gets no right; who calls has one only after the phone was found to be a user's.
    assert plan["pbxrec-outside"]["_XX."][2].data == "PJSIP/${EXTEN}@trunk,90,${PBXREC_RIGHTS}"
    steps = [step.data for step in plan["pbxrec-caller"]["s"]]
    assert steps[0] == "PBXREC_RIGHTS="
    assert steps.index("PBXREC_RIGHTS=TK") > next(n for n, step in enumerate(steps) if "DIALPLAN_EXISTS" in step)


def test_the_codes_are_where_the_settings_say() -> None:
    files = generated(company(), toggle_digit="9", pause_digit="1", withdraw_digit="2")
    codes = [
        ("pbxrec-toggle", '*9,self,AGI,"agi://127.0.0.1:4583/toggle"'),
        ("pbxrec-pause", '*1,self,AGI,"agi://127.0.0.1:4583/pause"'),
        ("pbxrec-withdraw", '*2,self,AGI,"agi://127.0.0.1:4583/withdraw"'),
    ]
    assert sections(files["features.conf"]) == [("applicationmap", codes)]


def test_two_codes_on_one_digit_are_refused() -> None:
    with pytest.raises(RenderError, match="toggle_digit 5, pause_digit 5"):
        generated(company(), toggle_digit="5")


def test_a_queue_rings_its_members_by_phone_and_asterisk_records_nothing() -> None:
    [(name, lines)] = sections(generated(company())["queues.conf"])
    assert name == "asked"
    assert [value for key, value in lines if key == "member"] == [
        "PJSIP/101,0,101,PJSIP/101",
        "PJSIP/102,0,102,PJSIP/102",
    ]
    assert ("strategy", "ringall") in lines
    assert not [key for key, _ in lines if key.startswith("monitor")]


def test_phones_and_the_line_are_generated_only_where_wanted() -> None:
    assert "pjsip.conf" not in generated(company(), pjsip=False)
    found = [(name, dict(lines)) for name, lines in sections(generated(company())["pjsip.conf"])]
    phone = next(lines for name, lines in found if name == "101" and lines["type"] == "endpoint")
    assert (phone["context"], phone["callerid"]) == ("pbxrec-users", '"Anna" <101>')
    auth = next(lines for name, lines in found if name == "101" and lines["type"] == "auth")
    assert auth["md5_cred"] == "0123456789abcdef" * 2
    line = next(lines for name, lines in found if name == "trunk" and lines["type"] == "endpoint")
    assert line["context"] == "pbxrec-trunk"


def test_a_phone_without_a_password_is_not_generated() -> None:
    with pytest.raises(RenderError, match="PJSIP/101: no password digest"):
        render(company(), Names(), Address(), {}, Pjsip())


def test_a_phone_with_the_name_of_the_line_is_refused() -> None:
    with pytest.raises(RenderError, match="PJSIP/trunk: the outside line has this name"):
        generated(company(devices=("PJSIP/trunk",)))


def test_an_option_of_the_phones_can_be_added_or_changed() -> None:
    secrets = {"PJSIP/101": "0" * 32, "PJSIP/102": "0" * 32}
    names = Names(pjsip_options={"media_address": "127.0.0.1", "allow": "ulaw"})
    files = render(company(), names, Address(), secrets, Pjsip(options={"allow": "g722"}, trunk=TrunkLine()))
    found = {name: dict(lines) for name, lines in reversed(sections(files["pjsip.conf"]))}
    assert (found["101"]["media_address"], found["101"]["allow"]) == ("127.0.0.1", "g722")
    assert (found["trunk"]["media_address"], found["trunk"]["allow"]) == ("127.0.0.1", "ulaw")


@pytest.mark.parametrize("option", [{"Set Var": "x"}, {"set_var": "A=${SHELL(id)}"}, {"allow": "ulaw\ntype = auth"}])
def test_an_option_that_could_mean_more_is_refused(option: dict[str, str]) -> None:
    with pytest.raises(RenderError, match="phone option"):
        generated(company(), pjsip_options=option)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"extension": "102"}, "number '102'"),
        ({"extension": "112"}, "an emergency number and also a user's extension"),
        ({"group_number": "101"}, "number '101'"),
        ({"consent_number": "800"}, "a hunt group's number and also a consent number"),
        ({"ddi": "+4533120800"}, "direct number '\\+4533120800'"),
        ({"devices": ("PJSIP/1-02",)}, "device 'PJSIP/102'"),
        ({"extension": ""}, "extension of user '0000000a': ''"),
    ],
)
def test_two_things_with_one_number_are_refused(change: dict[str, str], told: str) -> None:
    with pytest.raises(RenderError, match=told):
        generated(company(**change))  # type: ignore[arg-type]


def test_a_number_that_leads_nowhere_is_refused() -> None:
    rulebook = Rulebook(1, direct_numbers=(DirectNumber("+4533120101", "t1", user_id="gone"),))
    with pytest.raises(RenderError, match="leads to 'gone', which does not exist"):
        generated(rulebook)


def test_a_number_that_leads_to_two_things_is_refused() -> None:
    rulebook = Rulebook(1, direct_numbers=(DirectNumber("+4533120101", "t1", user_id=ANNA, group_id=ASKED),))
    with pytest.raises(RenderError, match="must lead to one"):
        generated(rulebook)


@pytest.mark.parametrize(("users", "trunk"), [("same", "same"), ("pbxrec-inside", "x"), ("x", "pbxrec-version")])
def test_contexts_that_would_run_into_each_other_are_refused(users: str, trunk: str) -> None:
    with pytest.raises(RenderError, match="two different names"):
        generated(company(), from_users=users, from_trunk=trunk)


def test_a_ring_group_too_large_to_ring_is_refused() -> None:
    many = tuple(f"PJSIP/phone-of-the-whole-office-{n}" for n in range(60))
    with pytest.raises(RenderError, match="make it a queue"):
        generated(company(devices=many))


def test_the_same_rulebook_gives_the_same_text() -> None:
    assert generated(company()) == generated(company())


def test_every_file_says_that_it_is_generated_and_names_its_content() -> None:
    for name, text in generated(company()).items():
        head, said, empty, body = text.split("\n", 3)
        assert "do not edit" in head, name
        assert said == f"; content {content_hash(body)}"
        assert empty == ""


def test_a_change_in_any_file_changes_the_version() -> None:
    versions = {
        version_of(generated(company())),
        version_of(generated(company(names=("Åse", "Bent", "Carla")))),
        version_of(generated(company(queue="other"))),
        version_of(generated(company(), toggle_digit="8")),
    }
    assert len(versions) == 4
    assert all(re.fullmatch("[0-9a-f]{16}", version or "") for version in versions)


def test_no_version_is_read_where_none_is() -> None:
    assert version_of({}) is None
    assert version_of({"extensions.conf": "[pbxrec-version]\n"}) is None


def test_a_template_that_would_print_an_unjudged_value_fails() -> None:
    with pytest.raises(RenderError, match="nobody has judged"):
        fill("features.conf", agi="agi://h", toggle_digit="4")


def test_the_manager_account_has_one_right() -> None:
    [(user, lines)] = sections(manager_conf("pbxrec", "correct-horse"))
    assert user == "pbxrec"
    assert [value for key, value in lines if key in ("read", "write")] == ["none", "config"]


def test_ari_events_carry_the_marks() -> None:
    [(_, general), (user, _)] = sections(ari_conf("pbxrec", "correct-horse", whole=True))
    assert user == "pbxrec"
    assert {"PBXREC_CONSENT", "PBXREC_PRESENTED", "PBXREC_DDI"} <= set(dict(general)["channelvars"].split(","))


def test_a_bad_password_is_refused_without_being_repeated() -> None:
    with pytest.raises(RenderError, match="not shown") as refused:
        manager_conf("pbxrec", "se;cret\nwrite=all")
    assert "cret" not in str(refused.value).replace("secret:", "")
