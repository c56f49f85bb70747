"""However a journal's entries are cut into batches, and wherever writing them breaks off: the same rows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from call_entries import (
    TENANT,
    after,
    began,
    closed,
    consent_taken,
    decided,
    dump,
    erased,
    failed,
    intended,
    moved,
    started,
    stored,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, event, select

from pbx_plugin.db.apply import DatabaseApply
from pbx_plugin.db.engine import make_engine
from pbx_plugin.db.models import Base, CallRow
from pbx_plugin.domain.entries import Audited, CallEnded, CallMerged, CallRemembered, Entry, Gap, LegSeen, Marked

RUN = "recorder:one"

calls = st.sampled_from(["call-1", "call-2"])
channels = st.sampled_from(["1700000000.1", "1700000000.2", "1\x007"])
media = st.sampled_from(["media-1", "media-2"])
moments = st.integers(0, 9)
some_entry: st.SearchStrategy[Entry] = st.one_of(
    st.builds(lambda call, at, linked: began(call, at=at, linkedid=linked), calls, moments, channels),
    st.builds(lambda call, at: CallRemembered(call, after(at), f"state {at}"), calls, moments),
    st.builds(lambda call, at: CallRemembered(call, after(at), f"other state {at}"), calls, moments),
    st.builds(lambda at: CallMerged("call-1", "call-2", after(at)), moments),
    st.builds(lambda call, at: CallEnded(call, after(at), "answered"), calls, moments),
    st.builds(lambda call, who, at: LegSeen(call, who, after(at), f"PJSIP/{at}"), calls, channels, moments),
    st.builds(moved, moments, calls),
    st.builds(lambda call, at: Marked(call, after(at), "given", "our IVR", "e", ("g",), "key"), calls, moments),
    st.builds(lambda n, call, at: decided(f"decision-{n}", call, at=at), st.integers(1, 2), calls, moments),
    st.builds(lambda linked: consent_taken(linkedid=linked), channels),
    st.builds(
        lambda n, which, call, at: intended(f"recording-{n}", which, call, at=at),
        st.integers(1, 3),
        media,
        calls,
        moments,
    ),
    st.builds(lambda which, at: started(which, at=at), media, moments),
    st.builds(lambda which, at: closed(which, at=at, reason=f"at {at}"), media, moments),
    st.builds(lambda which, at: stored(which, at=at), media, moments),
    st.builds(lambda which, at: failed(which, at=at), media, moments),
    st.builds(erased, media, moments),
    st.builds(
        lambda at, ended: Gap("gap-1", "call-1", TENANT, "u", after(at), after(9) if ended else None, f"{at}"),
        moments,
        st.booleans(),
    ),
    st.builds(lambda n, at: Audited(f"audit-{n}", TENANT, after(at), "recorder", "did", "it"), moments, moments),
)


@pytest.fixture(scope="module")
def two() -> Iterator[tuple[Engine, Engine]]:
    """Two databases with nothing in them, in memory: one to be told in batches, one entry by entry."""
    engines = (make_engine("sqlite:///:memory:"), make_engine("sqlite:///:memory:"))
    for engine in engines:
        Base.metadata.create_all(engine)
    yield engines
    for engine in engines:
        engine.dispose()


def emptied(engine: Engine) -> DatabaseApply:
    with engine.begin() as connection:
        for table in Base.metadata.sorted_tables:
            connection.execute(table.delete())
    return DatabaseApply(engine)


@settings(max_examples=60, deadline=None)
@given(entries=st.lists(some_entry, max_size=25), data=st.data())
def test_batches_of_any_size_that_break_off_anywhere_end_in_the_same_rows(
    two: tuple[Engine, Engine], entries: list[Entry], data: st.DataObject
) -> None:
    told = list(enumerate(entries, 1))
    unwritable = replace(decided("decision-9"), rule=10**30)
    apply, single = map(emptied, two)
    done = 0
    while done < len(told):
        upto = data.draw(st.integers(done + 1, len(told)), label="batch ends at")
        if data.draw(st.booleans(), label="breaks off"):
            with pytest.raises(OverflowError):
                apply(RUN, [*told[done:upto], (upto + 1, unwritable)])
        # Whoever reads the journal again after a crash may begin before what the database holds already.
        again_from = data.draw(st.integers(0, done), label="told from")
        apply(RUN, told[again_from:upto])
        done = upto
    for one in told:
        single(RUN, [one])
    assert dump(two[0]) == dump(two[1])


def test_a_batch_takes_few_statements_however_often_a_call_is_spoken_of(engine: Engine) -> None:
    statements: list[str] = []

    @event.listens_for(engine, "before_cursor_execute")
    def _count(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        statements.append(statement)

    story: list[Entry] = [began()]
    for step in range(60):
        story += [moved(step), CallRemembered("call-1", after(step), "x" * 2000)]
        story += [LegSeen("call-1", "1700000000.1", after(step), f"PJSIP/{step}")]
    DatabaseApply(engine)(RUN, list(enumerate(story, 1)))
    assert len(statements) <= 15, statements
    with engine.connect() as connection:
        (found,) = connection.execute(select(CallRow.state)).all()
    assert found == ("x" * 2000,)
