"""Marks stay with a call, and when two calls become one those of both hold."""

from __future__ import annotations

from itertools import pairwise

import pytest
from decision_strategies import marks
from hypothesis import given, settings

from pbx_plugin.domain.call import Consent, ConsentBy, Marks, Number, Party, User, strictest

often = settings(max_examples=200, deadline=None)
ORDER = [Consent.NOT_REQUIRED, Consent.GIVEN, Consent.REQUIRED, Consent.REFUSED, Consent.WITHDRAWN]


@pytest.mark.parametrize(("lax", "strict"), list(pairwise(ORDER)))
def test_the_stricter_consent_binds(lax: Consent, strict: Consent) -> None:
    assert strictest(lax, strict) is strictest(strict, lax) is strict


@often
@given(marks, marks)
def test_merging_forbids_the_same_from_either_side(one: Marks, other: Marks) -> None:
    there, back = one.merged(other), other.merged(one)
    assert there.consent is back.consent is strictest(one.consent, other.consent)
    assert set(there.presented_to) == set(back.presented_to) == {*one.presented_to, *other.presented_to}


@often
@given(marks, marks, marks)
def test_merging_three_calls_does_not_depend_on_who_joined_first(one: Marks, two: Marks, three: Marks) -> None:
    left, right = one.merged(two).merged(three), one.merged(two.merged(three))
    assert left.consent is right.consent
    assert left.presented_to == right.presented_to


@often
@given(marks)
def test_merging_with_itself_or_with_an_unmarked_call_changes_nothing(one: Marks) -> None:
    assert one.merged(one) == one
    assert one.merged(Marks()) == one


@often
@given(marks, marks)
def test_consent_keeps_its_own_evidence(one: Marks, other: Marks) -> None:
    merged = one.merged(other)
    sources = [part for part in (one, other) if part.consent is merged.consent]
    assert any((part.consent_by, part.evidence_id) == (merged.consent_by, merged.evidence_id) for part in sources)


def test_groups_stay_in_the_order_of_presentation_without_doubles() -> None:
    merged = Marks(presented_to=("a", "b")).merged(Marks(presented_to=("b", "c")))
    assert merged.presented_to == ("a", "b", "c")


def test_a_refusal_is_not_washed_off_by_a_consent() -> None:
    given_one = Marks(Consent.GIVEN, ConsentBy.OUR_IVR, "yes")
    refused = Marks(Consent.REFUSED, ConsentBy.OUR_IVR, "no")
    assert given_one.merged(refused) == refused.merged(given_one) == refused


def test_a_number_is_shown_in_e164_where_it_can_be_had() -> None:
    assert (str(Number("31200118", "+4531200118")), str(Number("101"))) == ("+4531200118", "101")


def test_only_who_is_no_user_is_outside() -> None:
    assert Party(Number("31200118")).external
    assert not Party(Number("101"), User("1", "acme", "Mia", "101")).external
