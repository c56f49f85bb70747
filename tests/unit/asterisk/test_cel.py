"""Asterisk's event log, as Asterisk 22 wrote it: what it says of calls; no caller writes lines of their own."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pbx_plugin.asterisk.cel import COLUMNS, FORMAT, CelEvent, events_in, happenings_in
from pbx_plugin.domain import happenings as h
from pbx_plugin.domain.call import Consent

CAPTURED = '''\
pbxrec1,CHAN_START,"1795334910.365118",2026-11-22T08:08:10.365452,"1.0","1.0",PJSIP/trunk-00000000,+4531200100,+4570100201,"","","",""
pbxrec1,PBXRecMarks,"1795334910.366001",2026-11-22T08:08:10.366733,"1.0","1.0",PJSIP/trunk-00000000,+4531200100,s,"CELGenUserEvent","PBXRecMarks,4570100201","PBXRecMarks","{""extra"":""required|e1|g1+g2|+4570100201""}"
pbxrec1,CHAN_START,"1795334910.368222",2026-11-22T08:08:10.368381,"1.0","1.3",PJSIP/trunk-00000001,,s,"","","",""
pbxrec1,ANSWER,"1795334910.673001",2026-11-22T08:08:10.673343,"1.0","1.3",PJSIP/trunk-00000001,+4531200999,+4531200999,"AppDial","OutgoingLine","",""
pbxrec1,BRIDGE_ENTER,"1795334910.674100",2026-11-22T08:08:10.674411,"1.0","1.3",PJSIP/trunk-00000001,+4531200999,,"AppDial","OutgoingLine","","{""bridge_id"":""f2a4"",""bridge_technology"":""simple_bridge""}"
pbxrec1,BRIDGE_ENTER,"1795334910.674200",2026-11-22T08:08:10.674511,"1.0","1.0",PJSIP/trunk-00000000,+4531200100,700,"Park","","","{""bridge_id"":""f2a5"",""bridge_technology"":""holding_bridge""}"
pbxrec1,CHAN_START,"1795334910.701001",2026-11-22T08:08:10.702358,"pbxrec-75ac-tell","pbxrec-75ac-tell",Snoop/1.0-00000000,,s,"","","",""
pbxrec1,PBXRecToggle,"1795334912.678001",2026-11-22T08:08:12.678673,"1.0","1.3",PJSIP/trunk-00000001,201,+4531200999,"CELGenUserEvent","PBXRecToggle,","PBXRecToggle","{""extra"":""""}"
pbxrec1,BRIDGE_EXIT,"1795334913.892001",2026-11-22T08:08:13.893258,"1.0","1.3",PJSIP/trunk-00000001,201,,"AppDial","OutgoingLine","","{""bridge_id"":""f2a4"",""bridge_technology"":""simple_bridge""}"
pbxrec1,HANGUP,"1795334913.893001",2026-11-22T08:08:13.894205,"1.0","1.3",PJSIP/trunk-00000001,201,,"AppDial","OutgoingLine","","{""hangupcause"":16,""hangupsource"":"""",""dialstatus"":""""}"
pbxrec1,LINKEDID_END,"1795334913.894001",2026-11-22T08:08:13.894255,"1.0","1.3",PJSIP/trunk-00000001,201,,"","","",""
'''


def told(text: str) -> list[h.Happening]:
    return [happening for event in events_in(text) for happening in happenings_in(event, h.Carried())]


def line(kind: str, *, told: str = "", app: str = "", data: str = "", extra: str = "", number: str = "") -> str:
    stamp = "2026-11-22T08:08:10.365452"
    quoted = extra.replace('"', '""')
    return (
        f'{FORMAT},{kind},"",{stamp},"1.0","1.0",PJSIP/101-00000000,{number},101,"{app}","{data}","{told}","{quoted}"\n'
    )


def test_a_call_is_read_as_events_of_the_live_stream_are() -> None:
    appeared, marks, dialled, answered, joined, parked, press, left, gone = told(CAPTURED)
    at = datetime.fromtimestamp(1795334910, UTC).replace(microsecond=365118)
    assert appeared == h.LegAppeared(
        at, "1.0", "PJSIP/trunk-00000000", "1.0", "PJSIP/trunk", "+4531200100", "+4570100201"
    )
    assert isinstance(marks, h.MarksSeen)
    assert marks.carried == h.Carried(Consent.REQUIRED, "e1", ("g1", "g2"), "+4570100201")
    assert isinstance(dialled, h.LegAppeared)
    assert (dialled.originating, dialled.dialled) == (False, "")
    assert isinstance(answered, h.LegDialled)
    assert answered.number == "+4531200999"
    assert isinstance(joined, h.LegJoined)
    assert (joined.bridge, joined.talking) == ("f2a4", True)
    assert isinstance(parked, h.LegJoined)
    assert (parked.bridge, parked.talking) == ("f2a5", False)
    assert isinstance(press, h.TogglePressed)
    assert isinstance(left, h.LegLeft)
    assert isinstance(gone, h.LegGone)


def test_where_the_administrator_has_a_date_format_the_time_of_writing_counts() -> None:
    (event,) = events_in(CAPTURED.splitlines()[0].replace('"1795334910.365118"', '"22/11/26 09:08"') + "\n")
    assert event.at == datetime(2026, 11, 22, 8, 8, 10, 365452, UTC)


def test_an_event_of_the_administrators_own_dialplan_never_passes_for_one_of_asterisks() -> None:
    for kind in ("HANGUP", "CHAN_START", "BRIDGE_ENTER", "ANSWER"):
        assert told(line(kind, told=kind, extra='{"bridge_id":"b","extra":""}')) == []


def test_who_waits_in_a_queue_is_known_by_its_name() -> None:
    (marks, _) = told(line("BRIDGE_ENTER", app="Queue", data="support,tk,,,300", extra='{"bridge_id":"b"}'))
    assert isinstance(marks, h.MarksSeen)
    assert marks.queue == "support"


def test_a_consent_word_that_we_never_wrote_counts_as_not_asked_yet() -> None:
    (marks,) = told(line("PBXRecMarks", told="PBXRecMarks", extra='{"extra":"yes|||"}'))
    assert isinstance(marks, h.MarksSeen)
    assert marks.carried.consent is Consent.REQUIRED


@pytest.mark.parametrize("extra", ["", "{", "[]", "null", '"x"', '{"bridge_id":""}'])
def test_particulars_that_cannot_be_read_are_no_bridge(extra: str) -> None:
    assert told(line("BRIDGE_ENTER", extra=extra)) == []


@pytest.mark.parametrize(
    "text",
    [
        "",
        "CHAN_START,whatever\n",
        CAPTURED[:100],
        CAPTURED.splitlines()[0] + ',"one more"\n',
        CAPTURED.splitlines()[0].replace('"1.0"', '""') + "\n",
        CAPTURED.splitlines()[0].replace("1795334910.365118", "").replace("2026-11-22T", "x") + "\n",
        CAPTURED.splitlines()[0].replace('"1.0"', '"1.0') + "\n",
    ],
)
def test_what_is_no_whole_line_of_ours_is_left_out(text: str) -> None:
    assert list(events_in(text)) == []


@given(st.text(max_size=300))
def test_nothing_that_stands_in_the_file_makes_us_stumble(text: str) -> None:
    for event in events_in(f"{FORMAT},{text}\n{CAPTURED}{text}"):
        assert isinstance(event, CelEvent)
        list(happenings_in(event, h.Carried()))


def test_whatever_a_caller_chooses_is_filtered_before_it_is_written() -> None:
    for name in ("CALLERID(num)", "CHANNEL(exten)", "CHANNEL(channame)", "CHANNEL(appdata)"):
        (column,) = [column for column in COLUMNS if name in column]
        assert "FILTER(" in column
    assert not any("CALLERID(name)" in column for column in COLUMNS)
