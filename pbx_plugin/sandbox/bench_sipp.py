"""Many calls at once: `sipp` as everybody's phone, calling out, and as the whole world outside, answering.

The callers send a known signal as RTP; the world sends back what it hears, so that sound goes both ways.
"""

from __future__ import annotations

import csv
import subprocess
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
from numpy.typing import NDArray

from pbx_plugin.sandbox.instance_process import Lifeline, end_group, has_ended
from pbx_plugin.sandbox.signals import Samples

CALLERS_HOST = "127.0.0.3"
"""Where the callers' phones are: an address of their own, so that their RTP ports are nobody else's."""

_A_LAW = 8
_QUIET_S = 2.0


class SippError(Exception):
    """The load generator ended with an error, or calls failed; the text carries its own words."""


class Sipp:
    """One `sipp` process with a scenario, in a folder of its own for what it writes. Ends with this process."""

    def __init__(self, name: str, folder: Path, scenario: str, options: Sequence[str]) -> None:
        """Start it. Raises SippError when there is no `sipp`."""
        self.name = name
        self._folder = folder / name
        self._folder.mkdir(mode=0o750, parents=True, exist_ok=True)
        path = self._folder / f"{name}.xml"
        path.write_text(scenario)
        self._screen = (self._folder / "screen").open("wb")
        try:
            self._child = subprocess.Popen(
                ["sipp", "-sf", str(path), "-nostdin", "-trace_err", "-error_file", str(self._errors), *options],
                cwd=self._folder, stdin=subprocess.DEVNULL, stdout=self._screen, stderr=subprocess.STDOUT,
                start_new_session=True,
            )  # fmt: skip
        except FileNotFoundError as error:
            self._screen.close()
            raise SippError("sipp is not installed (Debian: apt-get install sip-tester)") from error
        self._lifeline = Lifeline(self._child.pid, str(path))

    @property
    def _errors(self) -> Path:
        return self._folder / "errors"

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._child.pid

    @property
    def ended(self) -> bool:
        """Whether it is through with its calls."""
        return has_ended(self._child)

    def wait(self, seconds: float) -> None:
        """Wait until all its calls are over. Raises SippError when one failed, or when it took too long."""
        try:
            code = self._child.wait(seconds)
        except subprocess.TimeoutExpired:
            self.close()
            raise SippError(f"sipp ({self.name}) was not through after {seconds:g} s") from None
        finally:
            self._lifeline.untie()
        if code != 0:
            raise SippError(f"sipp ({self.name}) ended with {code}: {self._said()}")

    def close(self) -> None:
        """End it, calls and all; again is harmless."""
        self._lifeline.untie()
        end_group(self._child, 0.0)
        self._screen.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None) -> None:
        self.close()

    def _said(self) -> str:
        texts = [path.read_text(errors="replace") for path in (self._errors, self._folder / "screen") if path.exists()]
        return "\n".join(text[:1500] for text in texts if text.strip()) or "it said nothing"


def the_world(folder: Path, host: str, sip_port: int, rtp_port: int) -> Sipp:
    """Start everybody outside: answers every call at once, and echoes what it hears."""
    options = ["-i", host, "-p", str(sip_port), "-mi", host, "-mp", str(rtp_port), "-rtp_echo"]
    return Sipp("world", folder, ANSWERS, options)


def callers(
    folder: Path,
    server: str,
    sip_port: int,
    people: Sequence[tuple[str, str]],
    password: str,
    sound: Path,
    *,
    lasting_s: float,
    a_second: float,
) -> Sipp:
    """Start one call for each of `people` (extension, number dialled), `a_second` of them each second.

    Each talks for `lasting_s` seconds after the answer, hangs up, and is done.
    """
    folder.mkdir(mode=0o750, parents=True, exist_ok=True)
    table = folder / "callers.csv"
    with table.open("w", newline="") as file:
        file.write("SEQUENTIAL\n")
        writer = csv.writer(file, delimiter=";", lineterminator="\n")
        for extension, number in people:
            writer.writerow([extension, number, f"[authentication username={extension} password={password}]"])
    table.chmod(0o640)
    every_ms = round(1000 / a_second)
    options = [
        server, "-i", CALLERS_HOST, "-p", str(sip_port), "-mi", CALLERS_HOST, "-inf", str(table),
        "-m", str(len(people)), "-l", str(len(people)), "-r", "1", "-rp", str(every_ms),
    ]  # fmt: skip
    return Sipp("callers", folder, _calls(sound, round(lasting_s * 1000)), options)


def write_a_law(path: Path, sound: Samples) -> Path:
    """Write the sound as bare A-law bytes, as `sipp` sends them."""
    path.write_bytes(a_law(sound).tobytes())
    return path


def a_law(sound: Samples) -> NDArray[np.uint8]:
    """Return the A-law byte (ITU-T G.711) nearest to each sample (-1 to 1)."""
    levels = _a_law_levels()
    order = np.argsort(levels)
    steps = levels[order]
    middles = (steps[1:] + steps[:-1]) / 2
    places = np.searchsorted(middles, np.clip(sound, -1.0, 1.0) * 32767)
    return order[places].astype(np.uint8)


def _a_law_levels() -> NDArray[np.float64]:
    """Return what each of the 256 A-law bytes stands for, in 16 bits."""
    byte = np.arange(256) ^ 0x55
    exponent, mantissa = (byte & 0x70) >> 4, byte & 0x0F
    size = np.where(exponent == 0, (mantissa << 4) + 8, ((mantissa << 4) + 0x108) << np.maximum(exponent - 1, 0))
    return np.where(byte & 0x80, size, -size).astype(np.float64)


_SDP = """\
Content-Type: application/sdp
Content-Length: [len]

v=0
o=bench 1 1 IN IP[local_ip_type] [local_ip]
s=-
c=IN IP[media_ip_type] [media_ip]
t=0 0
m=audio {port} RTP/AVP 8 101
a=rtpmap:8 PCMA/8000
a=rtpmap:101 telephone-event/8000
a=fmtp:101 0-15
a=ptime:20
"""

_INVITE = """\
INVITE sip:[field1]@[remote_ip]:[remote_port] SIP/2.0
Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
From: <sip:[field0]@[remote_ip]>;tag=[call_number]
To: <sip:[field1]@[remote_ip]:[remote_port]>{tag}
Call-ID: [call_id]
CSeq: {cseq} {method}
Contact: <sip:[field0]@[local_ip]:[local_port]>
Max-Forwards: 70
"""


def _request(
    method: str, cseq: int, *more: str, tag: str = "[peer_tag_param]", body: str = "Content-Length: 0\n"
) -> str:
    lines = _INVITE.replace("INVITE", method, 1).format(tag=tag, cseq=cseq, method=method.split(maxsplit=1)[0])
    again = "" if method == "ACK" else ' retrans="500"'
    return f"<send{again}><![CDATA[\n\n{lines}{''.join(more)}{body}\n]]></send>\n"


def _calls(sound: Path, lasting_ms: int) -> str:
    sdp = _SDP.format(port="[rtpstream_audio_port]")
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n<scenario name="callers">\n'
        + _request("INVITE", 1, tag="", body=sdp)
        + '<recv response="401" auth="true"/>\n'
        + _request("ACK", 1)
        + _request("INVITE", 2, "[field2]\n", tag="", body=sdp)
        + '<recv response="100" optional="true"/>\n<recv response="180" optional="true"/>\n'
        + '<recv response="183" optional="true"/>\n<recv response="200"/>\n'
        + _request("ACK", 2)
        + f'<nop><action><exec rtp_stream="{sound},-1,{_A_LAW},PCMA/8000"/></action></nop>\n'
        + f'<pause milliseconds="{lasting_ms}"/>\n'
        + _request("BYE", 3)
        + '<recv response="200"/>\n</scenario>\n'
    )


def _answer(status: str, contact: str, body: str) -> str:
    return (
        f"<send><![CDATA[\n\nSIP/2.0 {status}\n[last_Via:]\n[last_From:]\n[last_To:];tag=[call_number]\n"
        f"[last_Call-ID:]\n[last_CSeq:]\n{contact}{body}\n]]></send>\n"
    )


_CONTACT = "Contact: <sip:[local_ip]:[local_port]>\n"
ANSWERS = (
    '<?xml version="1.0" encoding="UTF-8"?>\n<scenario name="world">\n<recv request="INVITE"/>\n'
    + _answer("180 Ringing", _CONTACT, "Content-Length: 0\n")
    + _answer("200 OK", _CONTACT, _SDP.format(port="[media_port]")).replace("<send>", '<send retrans="500">')
    + '<recv request="ACK" optional="true" rtd="true"/>\n<recv request="BYE"/>\n'
    + _answer("200 OK", "", "Content-Length: 0\n").replace(";tag=[call_number]", "")
    + "</scenario>\n"
)
