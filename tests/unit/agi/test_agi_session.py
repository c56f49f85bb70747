"""One AGI conversation, line by line: what we send and how we take what comes back."""

from __future__ import annotations

import io

import pytest
from asterisk.agi import AGIAppError, AGIHangup, AGIInvalidCommand, AGIUnknownError, AGIUsageError

from pbx_plugin.asterisk.agi import AgiConnectionLostError, AgiProtocolError, AgiSession, PlaybackError


def conversation(*answers: str, headers: str = "agi_uniqueid: 1.7\n") -> tuple[AgiSession, io.BytesIO]:
    """Return a session to which Asterisk has said all this already, and what is sent to Asterisk."""
    said = io.BytesIO((headers + "\n" + "".join(f"{line}\n" for line in answers)).encode())
    sent = io.BytesIO()
    return AgiSession(said, sent), sent


def test_headers_are_read_also_where_the_value_is_empty() -> None:
    session, _ = conversation(
        headers="agi_extension: \nagi_dnid:\nagi_callerid: sip:x:5060\nagi_arg_1: n1\nagi_arg_2:\n"
    )

    assert session.env["agi_extension"] == ""
    assert session.env["agi_dnid"] == ""
    assert session.env["agi_callerid"] == "sip:x:5060"
    assert session.arguments == ["n1", ""]


def test_a_number_that_says_a_header_of_its_own_is_not_believed() -> None:
    with pytest.raises(AgiProtocolError, match="twice"):
        conversation(headers="agi_uniqueid: 1.7\nagi_callerid: 1\nagi_uniqueid: 99.9\n")


@pytest.mark.parametrize(
    "headers", ["hello\n", "".join(f"agi_x{n}: 1\n" for n in range(300)), "agi_x: " + "x" * 20_000 + "\n"]
)
def test_what_is_no_agi_request_is_refused(headers: str) -> None:
    with pytest.raises(AgiProtocolError):
        conversation(headers=headers)


@pytest.mark.parametrize("headers", [b"", b"agi_x: 1\n"])
def test_a_connection_that_ends_in_the_headers_is_a_hangup(headers: bytes) -> None:
    with pytest.raises(AGIHangup):
        AgiSession(io.BytesIO(headers), io.BytesIO())


@pytest.mark.parametrize(
    ("answers", "key"),
    [
        (["200 result=1"], "1"),
        (["200 result= (timeout)"], ""),
        (["200 result="], "#"),
        (["200 result=*"], "*"),
        (["HANGUP", "200 result=1"], "1"),
    ],
)
def test_a_key_is_told_from_silence(answers: list[str], key: str) -> None:
    session, sent = conversation(*answers)

    assert session.get_key('/pro mpts/"x"', 0) == key
    assert sent.getvalue() == b'GET DATA "/pro mpts/\\"x\\"" 1 1\n'


@pytest.mark.parametrize(
    "answers",
    [
        ["200 result=-1", "HANGUP", "511 Command Not Permitted on a dead channel or intercept routine"],
        ["200 result=-1", "511 Command Not Permitted on a dead channel or intercept routine"],
        ["200 result=-1", "200 result=-1"],
        ["200 result=-1", "HANGUP"],
        ["511 Command Not Permitted on a dead channel or intercept routine"],
        ["HANGUP"],
    ],
)
def test_a_caller_who_hangs_up_in_a_prompt_is_gone(answers: list[str]) -> None:
    session, _ = conversation(*answers)

    with pytest.raises(AGIHangup) as hangup:
        session.get_key("/prompts/x", 1000)
    assert not isinstance(hangup.value, AgiConnectionLostError)


@pytest.mark.parametrize("answers", [[], ["200 result=-1"]])
def test_a_connection_that_ends_without_a_word_is_lost(answers: list[str]) -> None:
    session, _ = conversation(*answers)

    with pytest.raises(AgiConnectionLostError):
        session.get_key("/prompts/x", 1000)


def test_a_file_that_cannot_be_played_is_not_a_hangup() -> None:
    session, sent = conversation("200 result=-1", "200 result=6")

    with pytest.raises(PlaybackError):
        session.get_key("/prompts/x", 1000)
    assert sent.getvalue().endswith(b"CHANNEL STATUS\n")


@pytest.mark.parametrize(
    "answer", ["", "nonsense", "2000", "200", "200 resul=1", "200 result=1 (open", "\x00", "abc result=1"]
)
def test_an_answer_that_is_none_is_named_so(answer: str) -> None:
    session, _ = conversation(answer)

    with pytest.raises(AgiProtocolError):
        session.get_key("/prompts/x", 1000)


def test_nothing_but_hangup_lines_does_not_go_on_for_ever() -> None:
    session, _ = conversation(*["HANGUP"] * 100)

    with pytest.raises(AgiProtocolError):
        session.answer()


@pytest.mark.parametrize(
    ("answers", "error"),
    [
        (["510 Invalid or unknown command"], AGIInvalidCommand),
        (["520 Invalid command syntax.  Proper usage not available."], AGIUsageError),
        (
            ["520-Invalid command syntax.  Proper usage follows:", "Usage: ANSWER", "520 End of proper usage."],
            AGIUsageError,
        ),
        (["500 broken"], AGIUnknownError),
        (["200 result=-1"], AGIAppError),
    ],
)
def test_errors_of_asterisk_keep_the_names_pyst2_gives_them(answers: list[str], error: type[Exception]) -> None:
    session, _ = conversation(*answers, "200 result=1 (after)")

    with pytest.raises(error):
        session.answer()
    assert session.variable("X") == "after"


@pytest.mark.parametrize("value", ["hangup", "a) result=-1 (b", "(x)", "a) endpos=3", "result=-1", ""])
def test_a_variable_s_value_cannot_pass_for_anything_else(value: str) -> None:
    session, _ = conversation(f"200 result=1 ({value})")

    assert session.variable("CALLERID(num)") == value


def test_a_variable_that_is_not_set_is_empty() -> None:
    session, _ = conversation("200 result=0")

    assert session.variable("PBXREC_CONSENT") == ""


def test_text_of_a_caller_stays_inside_its_argument() -> None:
    session, sent = conversation("200 result=1", "200 result=0")

    session.set_variable("X", 'a"b\\\nSET VARIABLE Y 1')
    session.user_event("E", who="1,2\r\nApp: x")

    assert sent.getvalue().decode().splitlines() == [
        'SET VARIABLE "X" "a\\"b\\\\ SET VARIABLE Y 1"',
        'EXEC UserEvent "E,who: 1 2 App: x"',
    ]


def test_after_a_hangup_signal_nothing_more_is_sent() -> None:
    session, sent = conversation("200 result=0")
    session.note_hangup()

    with pytest.raises(AGIHangup):
        session.answer()
    assert sent.getvalue() == b""


def test_sending_to_nobody_is_a_hangup() -> None:
    session, sent = conversation()
    sent.close()

    with pytest.raises(AGIHangup):
        session.answer()
