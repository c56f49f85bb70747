"""Every kind of call there is, told as Asterisk told it: what is recorded, and that nothing is cut without need."""

from __future__ import annotations

from call_story import Story, rules

from pbx_plugin.domain import entries as e
from pbx_plugin.domain.policy import Announce

TALKING = """
    0.0 ring T1 trunk +4531200118 > +4570100{to}
    0.1 down A1 {to}
    0.1 dial T1 A1 {to}
    3.0 dial T1 A1 {to} ANSWER
    3.0 join A1 B1
    3.0 join T1 B1
"""
END = """
    9.0 left A1 B1
    9.0 gone A1
    9.1 left T1 B1
    9.1 gone T1
"""


def numbers(story: Story) -> list[int]:
    return [entry.segment for entry in story.entries(e.RecordingIntended)]


def test_segments_of_a_call_are_counted_from_one() -> None:
    presses = "4.0 press A1\n 5.0 press A1\n 6.0 press A1\n 6.5 press A1\n 7.0 press A1\n"
    story = Story().tell(TALKING.format(to=111) + presses + END)
    assert numbers(story) == [1, 2, 3]


def test_a_recording_that_never_began_has_no_number() -> None:
    story = Story(rules(announce=Announce.OR_DO_NOT_RECORD)).tell(
        TALKING.format(to=111) + "4.0 press A1\n 4.5 press A1\n 5.0 press A1\n 7.0 told 2\n" + END
    )
    assert numbers(story) == [1]


def test_two_users_of_one_capture_have_the_same_number() -> None:
    story = Story().tell("""
        0.0 ring A1 101 > 102
        0.1 down A2 102 linked-A1
        2.0 join A1 B1
        2.0 join A2 B1
        4.0 hold A1
        5.0 unhold A1
        6.0 gone A2
        6.0 gone A1
    """)
    assert numbers(story) == [1, 1, 2, 2]
