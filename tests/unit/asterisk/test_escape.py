"""No value from the database becomes dialplan: what cannot be made safe is refused, a name is only ever a name."""

import string
from collections.abc import Callable

import pytest
from company_builder import company, generated
from dialplan_reader import dialplan, sections
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from pbx_plugin.asterisk import escape
from pbx_plugin.asterisk.escape import LONGEST_NAME, RenderError, Safe

HOSTILE = (
    "1,1,System(x)", "1)", "1;x", "${EPOCH}", "$[1]", "1\nexten => 2,1,System(x)", "1\r", "_X.", "1 ", "", "1\0", "١٢",
    "a&b", "x=>y", "[general]", "#exec x", "1\u2028", "x" * 300, "1\n", "../x", 'x"y', "x\\",
)  # fmt: skip

TRAPS = st.sampled_from(
    ["${EPOCH}", "$[1+1]", ",", ")", "(", ";", "\n", "\r\n", '"', "\\", "<", ">", "[x]", "\0", "\u202e"]
)
NAMES = st.one_of(st.text(max_size=80), st.lists(st.one_of(TRAPS, st.text(max_size=6)), max_size=12).map("".join))


@pytest.mark.parametrize("value", HOSTILE)
@pytest.mark.parametrize(
    "judge",
    [
        escape.extension, escape.emergency_number, escape.e164, escape.identifier, escape.device, escape.queue_name,
        escape.context, escape.endpoint, escape.host, escape.sip_uri, escape.digest, escape.secret, escape.account,
    ],
)  # fmt: skip
def test_a_value_that_could_mean_something_is_refused(judge: Callable[[str, str], Safe], value: str) -> None:
    with pytest.raises(RenderError, match="the field"):
        judge(value, "the field")


@pytest.mark.parametrize(
    ("judge", "value"),
    [
        (escape.extension, "*98#"),
        (escape.extension, "+4533123456"),
        (escape.e164, "+4533123456"),
        (escape.identifier, "9f1c2d3e-0000-4000-8000-000000000001"),
        (escape.device, "PJSIP/101_desk-2.a"),
        (escape.queue_name, "Sales-2"),
        (escape.context, "from-internal"),
        (escape.host, "127.0.0.1"),
        (escape.host, "[::1]"),
        (escape.address, "192.0.2.0/24"),
        (escape.sip_uri, "sip:192.0.2.1:5060"),
        (escape.digest, "0" * 32),
        (escape.secret, "Tr0ub4dor-and-3"),
    ],
)
def test_an_ordinary_value_stays_as_it_is(judge: Callable[[str, str], Safe], value: str) -> None:
    assert judge(value, "the field") == value


def test_the_error_names_field_value_and_what_is_allowed() -> None:
    with pytest.raises(RenderError, match=r"extension of user 'x': '1,2' cannot be used; allowed is 1 to 32") as error:
        escape.extension("1,2", "extension of user 'x'")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("name", ["general", "General"])
def test_a_queue_cannot_pass_for_asterisks_settings(name: str) -> None:
    with pytest.raises(RenderError):
        escape.queue_name(name, "queue")


@pytest.mark.parametrize("name", ["general", "Globals"])
def test_a_context_cannot_pass_for_asterisks_settings(name: str) -> None:
    with pytest.raises(RenderError):
        escape.context(name, "context")


@pytest.mark.parametrize("port", [0, -1, 65536])
def test_a_port_is_a_port(port: int) -> None:
    with pytest.raises(RenderError):
        escape.port(port, "port")


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("Åse Müller-O'Hara", '"Åse Müller-O\'Hara" <101>'),
        ("Łukasz Żółć", '"Łukasz Żółć" <101>'),
        ("山田 太郎", '"山田 太郎" <101>'),
        ('Evil", <sip:x>;${SHELL(id)}', '"Evil sip x SHELL id" <101>'),
        ("two\nlines", '"two lines" <101>'),
        ("", "<101>"),
        ("${}[]", "<101>"),
    ],
)
def test_of_a_name_letters_stay_and_all_else_is_space(name: str, shown: str) -> None:
    assert escape.caller_id(name, Safe("101")) == shown


@given(NAMES)
def test_a_cleaned_name_has_nothing_that_means_something(name: str) -> None:
    shown = escape.caller_id(name, Safe("101")).removesuffix("<101>").strip()
    inside = shown.removeprefix('"').removesuffix('"')
    assert not set(inside) & set("\"',;()[]{}$<>\\&|=\n\r\t\0") - {"'"}
    assert inside.isprintable()
    assert len(inside) <= LONGEST_NAME


@settings(max_examples=60, deadline=None)
@given(NAMES, NAMES, NAMES)
@example("x\n[pbxrec-trunk]\nexten => _X.,1,Dial(PJSIP/${EXTEN}@trunk)", "${SHELL(id)}", ";")
def test_whatever_people_are_called_the_files_have_the_same_shape(anna: str, bent: str, firm: str) -> None:
    usual = generated(company())
    hostile = generated(company((anna, bent, firm), tenant_name=firm, purpose=bent))
    for name in ("features.conf", "queues.conf"):
        assert hostile[name] == usual[name]
    before, after = dialplan(usual["extensions.conf"]), dialplan(hostile["extensions.conf"])
    before.pop("pbxrec-version"), after.pop("pbxrec-version")
    assert after == before
    shape = [(name, [key for key, _ in lines]) for name, lines in sections(usual["pjsip.conf"])]
    assert [(name, [key for key, _ in lines]) for name, lines in sections(hostile["pjsip.conf"])] == shape


DIGITS = st.text(alphabet=string.digits, min_size=4, max_size=8)
ANYTHING = st.one_of(DIGITS, DIGITS, DIGITS, NAMES, st.text(alphabet="0123456789*#+,;)$", min_size=1, max_size=12))


@settings(max_examples=150, deadline=None)
@given(ANYTHING, ANYTHING, ANYTHING, ANYTHING, ANYTHING)
def test_whatever_the_numbers_are_they_are_refused_or_only_numbers(
    extension: str, queue: str, number: str, identifier: str, consent: str
) -> None:
    rulebook = company(
        extension=extension, queue=queue, group_number=number, group_id=identifier, consent_number=consent
    )
    try:
        files = generated(rulebook)
    except RenderError:
        return
    plan = dialplan(files["extensions.conf"])
    assert set(plan["pbxrec-inside"]) == {extension, "102", "103", number, "801", consent}
    assert [step.application for step in plan["pbxrec-inside"][extension]] == ["Gosub", "Dial", "Goto"]
    assert [name for name, _ in sections(files["queues.conf"])] == [queue]


@given(extension=st.text(alphabet="0123456789*#", min_size=4, max_size=12))
@settings(max_examples=40, deadline=None)
def test_a_dialled_number_is_found_under_itself(extension: str) -> None:
    assume(extension != "7000")
    plan = dialplan(generated(company(extension=extension))["extensions.conf"])
    assert plan["pbxrec-inside"][extension][1].data.startswith("PJSIP/101,")


@pytest.mark.parametrize("device", ["PJSIP/101&SIP/x", "PJSIP/a,b", "Local/1@x", "PJSIP/a@b", "PJSIP/a/b", "PJSIP/a)"])
def test_a_device_that_would_dial_something_else_is_refused(device: str) -> None:
    with pytest.raises(RenderError, match="device of user '0000000a'"):
        generated(company(devices=(device,)))
