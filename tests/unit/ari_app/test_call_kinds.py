"""Every kind of call there is, told as Asterisk told it: what is recorded, and that nothing is cut without need."""

from __future__ import annotations

from call_story import NOON, Story, rules

from pbx_plugin.domain import commands as c
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


def test_a_local_channel_that_is_optimised_away_cuts_nothing() -> None:
    """An attended transfer by feature code: the consultation's Local channel goes half a second after the merge."""
    story = Story().tell(
        TALKING.format(to=101)
        + """
        5.990 hold A1
        9.731 down L1 Local/102@pbxrec-users-00000000;1
        9.731 down L2 Local/102@pbxrec-users-00000000;2
        9.732 join L1 B2
        9.732 left A1 B1
        9.732 join A1 B2
        9.733 down A2 102
        9.735 dial L2 A2 102
        10.039 dial L2 A2 102 ANSWER
        10.041 join A2 B3
        10.041 join L2 B3
        13.096 left L1 B2
        13.097 join L1 B1
        13.097 left A1 B2
        13.115 gone A1
        13.541 left A2 B3
        13.542 left L1 B1
        13.542 join A2 B1
        13.542 left L2 B3
        13.543 gone L1
        13.544 gone L2
        15.849 left T1 B1
        15.850 left A2 B1
        15.850 gone A2
        15.855 gone T1
        """
    )
    assert [segment[:3] for segment in story.segments()] == [
        ("u101", 3.0, 5.99),
        ("u101", 10.041, 13.096),
        ("u102", 10.041, 13.096),
        ("u102", 13.127, 15.849),
    ]
    assert story.board.calls == {}


def test_a_hold_that_a_transfer_code_takes_back_first_begins_no_segment() -> None:
    """A blind transfer by feature code: unhold, and a millisecond later the user is gone."""
    story = Story().tell(
        TALKING.format(to=101)
        + """
        5.990 hold A1
        10.911 unhold A1
        10.912 left A1 B1
        10.914 gone A1
        10.930 down A2 102
        11.300 join A2 B1
        15.849 gone A2
        15.855 gone T1
        """
    )
    assert [segment[:3] for segment in story.segments()] == [("u101", 3.0, 5.99), ("u102", 11.3, 15.849)]


def test_three_who_come_together_step_by_step_are_one_segment() -> None:
    """Three-way by feature code: the colleague's Local channel enters first, the user a millisecond later."""
    story = Story().tell(
        TALKING.format(to=101)
        + """
        21.891 hold A1
        25.630 down L1 Local/102@pbxrec-users-00000004;1
        25.630 down L2 Local/102@pbxrec-users-00000004;2
        25.631 join L1 B2
        25.632 left A1 B1
        25.632 join A1 B2
        25.633 down A2 102
        25.945 join A2 B3
        25.946 join L2 B3
        29.110 left L1 B2
        29.110 join L1 B1
        29.110 left A1 B2
        29.111 join A1 B1
        29.581 left A2 B3
        29.581 left L1 B1
        29.581 join A2 B1
        29.582 gone L1
        29.582 left L2 B3
        29.583 gone L2
        31.775 left A1 B1
        31.775 gone A1
        34.322 left T1 B1
        34.322 gone A2
        34.325 gone T1
        """
    )
    assert sorted(segment[:3] for segment in story.segments()) == [
        ("u101", 3.0, 21.891),
        ("u101", 25.946, 29.11),
        ("u101", 29.14, 31.775),
        ("u102", 25.946, 29.11),
        ("u102", 29.14, 31.775),
        ("u102", 31.805, 34.322),
    ]


def test_whoever_meets_somebody_else_is_not_waited_for() -> None:
    """The user of a recorded call is put beside a caller who refused: that ends the segment at once."""
    story = Story().tell("""
        0.0 ring A1 101 > 102
        0.1 down A2 102 linked-A1
        2.0 join A1 B1
        2.0 join A2 B1
        3.0 ring T1 trunk +4531200118 > +4570100121
        3.0 mark T1 consent=refused
        3.1 down N1 121 linked-T1
        4.0 join T1 B2
        4.0 join N1 B2
        6.000 left A1 B1
        6.001 join A1 B2
    """)
    assert [segment[:3] for segment in story.segments()] == [("u101", 2.0, 6.0), ("u102", 2.0, 6.0)]
    assert len(story.commands(c.StopCapture)) == 1


def test_a_call_that_was_only_parted_for_a_moment_too_long_is_cut_where_it_was_parted() -> None:
    story = Story().tell("""
        0.0 ring A1 101 > 102
        0.1 down A2 102 linked-A1
        2.0 join A1 B1
        2.0 join A2 B1
        6.00 left A1 B1
        6.40 join A1 B1
        8.0 gone A1
        8.0 gone A2
    """)
    ends = [(entry.at - NOON).total_seconds() for entry in story.entries(e.RecordingClosed)]
    assert ends == [6.0, 8.0]
    assert [(entry.at - NOON).total_seconds() for entry in story.entries(e.RecordingIntended)][::2] == [2.0, 6.4]


def test_an_exclusion_in_the_middle_of_a_move_is_not_waited_for_either() -> None:
    story = Story().tell(
        TALKING.format(to=101)
        + """
        4.0 down A2 102
        5.0 join A2 B1
        6.0 left A2 B1
        """
    )
    assert len(story.commands(c.StopCapture)) == 1
    story.exclude(6.005, "+4531200118")
    assert len(story.commands(c.StopCapture)) == 2
    assert [segment[:3] for segment in story.segments()][-1] == ("u102", 5.0, 6.0)
