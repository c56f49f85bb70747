"""A person's number is known again in any spelling, and nothing that a caller sends does harm."""

from __future__ import annotations

import re
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pbx_plugin.domain.call import Number
from pbx_plugin.domain.emergency import is_emergency
from pbx_plugin.domain.numbers import (
    LONGEST,
    LONGEST_RECEIVED,
    as_received,
    dial_string,
    number_key,
    parse_number,
    region_of,
    spellings,
)

LIST = ("112", "911", "999", "000")


@pytest.mark.parametrize(
    "raw",
    [
        "31200118",
        "+4531200118",
        "004531200118",
        "4531200118",
        "+45 31 20 01 18",
        "+45 (31) 20-01-18",
        "+45 (0) 31200118",
        "31.20.01.18",
        "31/200118",
        "31\u00a020\u201101\u201318",
        "\u202a+4531200118\u202c",
        "٣١٢٠٠١١٨",
        "sip:+4531200118@10.0.0.1;user=phone",
        "sips:31200118@example.com:5061;transport=tls",
        '"Bo Dyhr" <sip:4531200118@trunk>',
        "sip:%2B4531200118@trunk",
        "tel:+45-31-20-01-18;ext=4",
        "4531200118@trunk",
        "31200118 ext. 12",
        "31200118x12",
    ],
)
def test_a_danish_number_in_any_spelling(raw: str) -> None:
    assert parse_number(raw, "DK").e164 == "+4531200118"
    assert parse_number(raw, "dk").e164 == "+4531200118"


@pytest.mark.parametrize(
    ("raw", "country", "e164"),
    [
        ("020 7946 0958", "GB", "+442079460958"),
        ("+44 (0)20 7946 0958", "DK", "+442079460958"),
        ("011 45 31200118", "US", "+4531200118"),
        ("0045 31200118", "US", "+4531200118"),
        ("06 12345678", "NL", "+31612345678"),
        ("02 1234 5678", "IT", "+390212345678"),
        ("+4531200118", "XX", "+4531200118"),
        ("+4531200118", "", "+4531200118"),
        ("12345678", "DK", "+4512345678"),
        ("551 1234", "IS", "+3545511234"),
    ],
)
def test_numbers_of_other_countries(raw: str, country: str, e164: str) -> None:
    assert parse_number(raw, country) == Number(raw, e164)


@pytest.mark.parametrize(
    "raw",
    ["", "112", "101", "1813", "3120", "+45112", "anonymous", "Anonymous <sip:anonymous@anonymous.invalid>", "*4",
     "sip:alice@example.com", "urn:service:sos", "31200118a", "+", "++4531200118", "²³31200118", "1-800-FLOWERS"],
)  # fmt: skip
def test_what_is_no_public_number_keeps_its_raw_spelling(raw: str) -> None:
    assert parse_number(raw, "DK") == Number(raw, "")


def test_extensions_are_not_taken_for_numbers_where_short_ones_are_possible() -> None:
    assert [parse_number(raw, country).e164 for raw in ("101", "1001", "100001") for country in ("SE", "DE", "AT")] == (
        [""] * 9
    )


def test_an_unknown_country_reads_international_spellings_only() -> None:
    assert parse_number("31200118", "XX").e164 == ""
    assert parse_number("004531200118", "XX").e164 == "+4531200118"


@pytest.mark.parametrize("raw", ["9" * 1_000_000, "+4531200118" + " " * 1_000_000, "(" * 1_000_000, "x1" * 500_000])
def test_an_endless_number_is_cut_and_is_none(raw: str) -> None:
    began = time.process_time()
    assert parse_number(raw, "DK") == Number(f"{raw[:254]}…", "")
    assert len(number_key(raw)) <= LONGEST
    assert spellings(Number(raw), "DK")[1:] == ()
    assert time.process_time() - began < 0.1


@pytest.mark.parametrize("raw", ["312\r\n00\x00118\x1b[31m", "\u202e31200118", "=31200118", "𝒜 31"])
def test_what_was_received_is_kept_sign_for_sign(raw: str) -> None:
    assert parse_number(raw, "DK").raw == as_received(raw) == raw


def test_half_a_sign_is_not_kept_and_hides_no_number() -> None:
    assert parse_number("\ud80031200118", "DK") == Number("\ufffd31200118", "+4531200118")


@settings(max_examples=300, deadline=None)
@given(st.text(st.characters(), max_size=200), st.sampled_from(("DK", "US", "IT", "XX", "")))
def test_any_text_gives_a_number_that_can_be_kept(raw: str, country: str) -> None:
    number = parse_number(raw, country)
    assert len(number.raw) <= LONGEST_RECEIVED
    number.raw.encode()
    assert not number.e164 or (number.e164[0] == "+" and number.e164[1:].isdecimal() and len(number.e164) <= 16)
    if not re.search("[\ud800-\udfff]", raw):
        assert number.raw == raw
    assert all(spellings(number, country))
    dial_string(raw)


@settings(max_examples=200, deadline=None)
@given(
    st.integers(20_000_000, 39_999_999),
    st.sampled_from(("", "45", "+45", "0045")),
    st.text(" -./", max_size=3),
    st.integers(1, 7),
)
def test_spelling_does_not_change_who_it_is(digits: int, code: str, gap: str, at: int) -> None:
    national = str(digits)
    number = parse_number(code + national[:at] + gap + national[at:], "DK")
    assert number.e164 == f"+45{digits}"
    assert parse_number(number.e164, "DK").e164 == number.e164


def test_all_spellings_by_which_a_list_may_know_a_number() -> None:
    assert spellings(Number("07911 123456"), "GB") == ("+447911123456", "07911123456", "7911123456")
    assert spellings(Number("101"), "DK") == ("101",)
    assert spellings(Number(), "DK") == ()
    assert number_key(" Anonymous ") == "anonymous"
    assert number_key("0045 31 20") == number_key("+45-3120") == "+453120"


@pytest.mark.parametrize(
    "raw", ["112", "1-1-2", "sip:112@pbx", "+45112", "0045112", "#31#112", "*67911", "urn:service:sos.police", "000"]
)
def test_an_emergency_number_in_any_spelling(raw: str) -> None:
    assert is_emergency(parse_number(raw, "DK"), LIST, "DK", outgoing=False)


@pytest.mark.parametrize("raw", ["0112", "9911", "9-112", "0000"])
def test_an_emergency_number_behind_the_outside_line(raw: str) -> None:
    number = parse_number(raw, "DK")
    assert is_emergency(number, LIST, "DK", outgoing=True)
    assert not is_emergency(number, LIST, "DK", outgoing=False)


@pytest.mark.parametrize(
    "raw", ["", "11", "1120", "11255566", "99911222", "+4511255566", "00112", "8112", "+112", "+46112", "45112", "*112"]
)
def test_an_ordinary_number_is_no_emergency(raw: str) -> None:
    assert not is_emergency(parse_number(raw, "DK"), LIST, "DK", outgoing=True)


def test_a_companys_own_emergency_number_may_be_a_long_one() -> None:
    number = parse_number("+45 70 10 11 55", "DK")
    assert is_emergency(number, ("70101155",), "DK", outgoing=False)
    assert not is_emergency(number, LIST, "DK", outgoing=False)
    assert not is_emergency(Number(), ("", "112"), "DK", outgoing=False)


def test_only_a_short_emergency_number_is_known_behind_the_outside_line() -> None:
    assert is_emergency(Number("01813"), ("1813",), "DK", outgoing=True)
    assert not is_emergency(Number("070101155"), ("70101155",), "DK", outgoing=True)


@given(digits=st.text("0123456789", max_size=LONGEST + 2), blank=st.sampled_from([" {}", "{} ", "\t{}"]))
def test_plain_digits_are_compared_as_any_other_spelling_of_them_is(digits: str, blank: str) -> None:
    if len(digits) < LONGEST:
        assert number_key(digits) == number_key(blank.format(digits))
    assert len(number_key(digits)) <= LONGEST
    assert not digits.startswith("001") or len(digits) > LONGEST or number_key(digits) == f"+{digits[2:]}"


@pytest.mark.parametrize(
    ("e164", "region"),
    [
        ("+46701234567", "SE"),
        ("+4531200118", "DK"),
        ("+12125550123", "US"),
        ("+14165550123", "CA"),
        ("+441481960194", "GG"),
        ("+4912345", "DE"),
        # Codes that are no country's, and what is no number.
        ("+80012345678", ""),
        ("+999123456789", ""),
        ("31200118", ""),
        ("", ""),
        ("+", ""),
    ],
)
def test_a_number_says_which_country_it_is_of(e164: str, region: str) -> None:
    assert region_of(e164) == region


@given(st.text(max_size=40))
def test_no_text_is_a_country_it_should_not_be(text: str) -> None:
    region = region_of(text)
    assert region == "" or (len(region) == 2 and region.isupper())
