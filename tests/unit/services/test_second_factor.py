"""Codes by time and recovery codes: which are taken, how far clocks may be apart, and that none counts twice."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from pbx_plugin.services.second_factor import (
    RECOVERY_CODES,
    address,
    code_at,
    fresh_recovery_codes,
    fresh_secret,
    is_code,
    matching_step,
    recovery_digest,
)

# RFC 6238, appendix B: the secret "12345678901234567890", SHA-1; the last six of its eight digits.
SECRET = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"
KNOWN = [(59, "287082"), (1111111109, "081804"), (1234567890, "005924"), (20000000000, "353130")]


def at(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


@pytest.mark.parametrize(("seconds", "code"), KNOWN)
def test_codes_are_those_of_the_standard(seconds: int, code: str) -> None:
    assert code_at(SECRET, at(seconds)) == code
    assert matching_step(SECRET, code, at(seconds), after=0) == seconds // 30


@pytest.mark.parametrize(("off", "taken"), [(-60, False), (-30, True), (0, True), (30, True), (60, False)])
def test_a_phone_may_be_half_a_minute_off_and_no_more(off: int, taken: bool) -> None:
    moment = at(1234567890)
    code = code_at(SECRET, moment + timedelta(seconds=off))
    assert (matching_step(SECRET, code, moment, after=0) is not None) is taken


def test_a_code_of_a_step_that_was_used_is_none_any_more() -> None:
    moment = at(1234567890)
    step = 1234567890 // 30
    assert matching_step(SECRET, "005924", moment, after=step - 1) == step
    assert matching_step(SECRET, "005924", moment, after=step) is None


@pytest.mark.parametrize("text", ["005 924", " 005924 ", "005-924"])
def test_a_code_may_be_typed_with_blanks(text: str) -> None:
    assert is_code(text)
    assert matching_step(SECRET, text, at(1234567890), after=0) is not None


@pytest.mark.parametrize("text", ["", "00592", "0059244", "٠٠٥٩٢٤", "abcdef", "nio6-gqvw-axwb-sub5", "0" * 10**6])
def test_what_is_no_code_is_none(text: str) -> None:
    assert not is_code(text)
    assert matching_step(SECRET, text, at(1234567890), after=0) is None


def test_secrets_and_recovery_codes_are_made_of_all_their_randomness() -> None:
    asked: list[int] = []

    def random(count: int) -> bytes:
        asked.append(count)
        return bytes([len(asked)]) * count

    assert len(fresh_secret(random)) == 32
    codes = fresh_recovery_codes(random)
    assert asked == [20, *[10] * RECOVERY_CODES]
    assert len(set(codes)) == RECOVERY_CODES
    assert all(len(code) == 19 for code in codes)


def test_a_recovery_code_is_the_same_however_it_is_typed() -> None:
    assert recovery_digest("nio6-gqvw-axwb-sub5") == recovery_digest(" NIO6 GQVW AXWB SUB5")
    assert recovery_digest("nio6-gqvw-axwb-sub5") != recovery_digest("nio6-gqvw-axwb-sub6")


def test_the_address_for_the_qr_code_says_whose_and_where() -> None:
    told = address(SECRET, email="anna@acme.dk", company="Acme & Søn")
    assert told.startswith("otpauth://totp/Acme%20%26%20S%C3%B8n:anna%40acme.dk?secret=" + SECRET)
