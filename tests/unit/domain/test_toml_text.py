"""What is written as TOML reads back the same, whatever a name is made of."""

import tomllib

from hypothesis import given
from hypothesis import strategies as st

from pbx_plugin.domain.toml_text import toml_value

VALUES = st.one_of(st.booleans(), st.integers(-(2**63), 2**63 - 1), st.text(st.characters(exclude_categories=["Cs"])))


@given(st.one_of(VALUES, st.lists(VALUES, max_size=4)))
def test_a_value_reads_back_the_same(value: object) -> None:
    assert tomllib.loads(f"x = {toml_value(value)}") == {"x": value}


def test_del_and_letters_beyond_the_first_plane_are_written_as_toml_wants_them() -> None:
    assert toml_value("\x7f\U0001f600\n") == '"\\u007f\U0001f600\\n"'
