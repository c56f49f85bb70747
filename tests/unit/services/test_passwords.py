"""Hashing: argon2id as it is meant to be, the same password from every keyboard, and no hash that breaks anything."""

from __future__ import annotations

import secrets
from concurrent.futures import ThreadPoolExecutor

import pytest
from argon2 import PasswordHasher
from pytest_mock import MockerFixture

from pbx_plugin.services.passwords import LANES, MEMORY_KIB, PASSES, Argon2Hasher, is_among


@pytest.fixture
def quick() -> Argon2Hasher:
    return Argon2Hasher(secrets.token_bytes, memory_kib=8, passes=1)


def test_the_parameters_are_those_that_are_recommended_and_stand_in_the_hash() -> None:
    assert (MEMORY_KIB, PASSES, LANES) == (19456, 2, 1)
    hashed = Argon2Hasher(secrets.token_bytes).hash("Blue-7-kettle")
    assert hashed.startswith("$argon2id$v=19$m=19456,t=2,p=1$")


def test_only_the_password_matches_and_no_two_hashes_are_alike(quick: Argon2Hasher) -> None:
    hashed = quick.hash("Blue-7-kettle")
    assert quick.matches("Blue-7-kettle", hashed)
    assert not quick.matches("blue-7-kettle", hashed)
    assert not quick.matches("", hashed)
    assert quick.hash("Blue-7-kettle") != hashed


def test_signs_that_are_composed_otherwise_are_the_same_password(quick: Argon2Hasher) -> None:
    assert quick.matches("Bl\u00fce-7", quick.hash("Blu\u0308e-7"))


@pytest.mark.parametrize("broken", ["", "junk", "$argon2id$", "$argon2id$v=19$m=8,t=1,p=1$AAAA$", "$2b$12$abc", "ø"])
def test_a_broken_hash_is_nobodys(quick: Argon2Hasher, broken: str) -> None:
    assert not quick.matches("Blue-7-kettle", broken)


@pytest.mark.parametrize("hashed", ["", "junk", None])
def test_an_account_without_a_password_takes_as_long_as_one_with_one(
    quick: Argon2Hasher, hashed: str | None, mocker: MockerFixture
) -> None:
    known = quick.hash("Blue-7-kettle")
    looking = mocker.spy(PasswordHasher, "verify")
    assert not quick.matches("Wrong-1-kettle", known if hashed is None else hashed)
    assert looking.call_count == 1


@pytest.mark.parametrize("password", ["\ud800", "\x00", "a" * 10**6, "\U0001f600" * 300])
def test_any_text_can_be_tried(quick: Argon2Hasher, password: str) -> None:
    assert not quick.matches(password, quick.hash("Blue-7-kettle"))


def test_a_longer_password_is_not_the_shorter_one_cut(quick: Argon2Hasher) -> None:
    assert not quick.matches("a" * 257, quick.hash("a" * 256))


def test_a_hash_of_other_parameters_is_stale(quick: Argon2Hasher) -> None:
    hashed = quick.hash("Blue-7-kettle")
    assert not quick.is_stale(hashed)
    assert Argon2Hasher(secrets.token_bytes, memory_kib=16, passes=1).is_stale(hashed)
    assert Argon2Hasher(secrets.token_bytes, memory_kib=8, passes=2).is_stale(hashed)


def test_passwords_of_before_are_known_again(quick: Argon2Hasher) -> None:
    before = [quick.hash(f"Kettle-{number}") for number in range(3)]
    assert is_among(quick, "Kettle-2", before)
    assert not is_among(quick, "Kettle-3", before)


def test_many_may_ask_at_once(quick: Argon2Hasher) -> None:
    hashed = quick.hash("Blue-7-kettle")
    with ThreadPoolExecutor(16) as pool:
        assert all(pool.map(lambda _: quick.matches("Blue-7-kettle", hashed), range(64)))
