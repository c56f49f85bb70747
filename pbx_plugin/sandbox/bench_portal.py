"""What the portal's pages cost: the portal as it runs in production, asked over HTTP as a browser would.

One browser that is signed in, a company with a year of recordings, and some calls of today with real sound.
"""

from __future__ import annotations

import gzip
import http.client
import re
import shutil
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlencode

from pbx_plugin.db.engine import make_engine
from pbx_plugin.db.search import DatabaseSearch
from pbx_plugin.domain.access import Scope
from pbx_plugin.portal.cookies import SESSION
from pbx_plugin.sandbox import bench_search_rows as rows
from pbx_plugin.sandbox.bench_figures import Aim, Result, Spread, Table, number
from pbx_plugin.sandbox.bench_machine import cpu_seconds
from pbx_plugin.sandbox.bench_portal_site import PortalBench, free_port
from pbx_plugin.sandbox.bench_site import BenchError
from pbx_plugin.sandbox.service import Service
from pbx_plugin.services import search_cursor
from pbx_plugin.services.searching import read

Say = Callable[[str], None]

LIST_MS, PAGE_MS, SOUND_MS, PAGE_KB = 50.0, 15.0, 200.0, 300.0
PAGE = 50
DEEP = 999 * PAGE
FIRST_PART = 64 * 1024
_FILE = re.compile(r"(?:src|href)=\"(/static/[^\"#]+)")


@dataclass(frozen=True, slots=True)
class Asked:
    """One kind of request: milliseconds until its answer began and ended, and CPU ms of the portal for each."""

    name: str
    began: Spread
    ended: Spread
    cpu: float


class Browser:
    """A connection that stays, and the cookie of somebody who is signed in."""

    def __init__(self, port: int, token: str) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        self._headers = {"Cookie": f"{SESSION}={token}", "Accept": "text/html", "Accept-Encoding": "gzip"}

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def get(self, path: str, **headers: str) -> tuple[float, float, bytes]:
        """Fetch; return the milliseconds to the first byte of the body and to the last, and the body as it came.

        Raises BenchError for an answer that is not the page.
        """
        start = time.perf_counter()
        self._connection.request("GET", path, headers=self._headers | headers)
        answer = self._connection.getresponse()
        first = answer.read(1)
        began = time.perf_counter()
        body = first + answer.read()
        ended = time.perf_counter()
        if answer.status not in (200, 206) or answer.getheader("location"):
            raise BenchError(f"the portal answers {answer.status} to {path}")
        return (began - start) * 1000, (ended - start) * 1000, body


def measure(folder: Path, recordings: int, rounds: int, say: Say) -> Result:
    """Measure on a database of so many recordings; what hears sound hears another recording each time."""
    began = time.monotonic()
    folder.mkdir(mode=0o750)
    port = free_port()
    say(f"{recordings:,} recordings are written")
    site = PortalBench(folder, port)
    portal = Service("portal", folder, site.config)
    try:
        site.fill(recordings, rounds)
        portal.start()
        portal.wait_ready()
        with closing(Browser(port, site.token)) as browser:
            asked = _asked(browser, portal.pid, site, rounds, say)
            weights = _weights(browser, site)
    finally:
        portal.stop()
        shutil.rmtree(folder, ignore_errors=True)
    return _result(asked, weights, recordings, rounds, time.monotonic() - began)


def _asked(browser: Browser, process: int, site: PortalBench, rounds: int, say: Say) -> list[Asked]:
    everything = {"period": "all", "limit": "0"}
    deep = _deep(site.url)
    kinds: list[tuple[str, Callable[[int], str]]] = [
        ("the list, today's", lambda _: "/recordings"),
        ("the list, everything", lambda _: f"/recordings?{urlencode(everything)}"),
        ("the list, its thousandth page (or last)", lambda _: f"/recordings/more?{urlencode(everything | deep)}"),
        ("its count", lambda _: f"/recordings/count?{urlencode(everything)}"),
        ("a recording's page", lambda turn: f"/recordings/{site.heard[turn % len(site.heard)]}"),
        ("a recording's picture", lambda turn: f"/recordings/{site.heard[turn % len(site.heard)]}/peaks"),
    ]
    found = []
    for name, path in kinds:
        say(name)
        browser.get(path(0))
        found.append(_one(browser, process, name, path, rounds, {}))
    say("first sound")
    part = {"Range": f"bytes=0-{FIRST_PART - 1}", "Accept-Encoding": "identity"}
    # Each of another recording: whoever has heard one already is not audited again.
    found.append(
        _one(browser, process, "first sound", lambda turn: f"/recordings/{site.heard[turn]}/audio", rounds, part)
    )
    return found


def _one(
    browser: Browser,
    process: int,
    name: str,
    path: Callable[[int], str],
    rounds: int,
    headers: dict[str, str],
) -> Asked:
    before = cpu_seconds([process])
    taken = [browser.get(path(turn), **headers)[:2] for turn in range(rounds)]
    cpu = (cpu_seconds([process]) - before) * 1000 / rounds
    return Asked(name, Spread.of([first for first, _ in taken]), Spread.of([last for _, last in taken]), cpu)


def _deep(url: str) -> dict[str, str]:
    engine = make_engine(url)
    try:
        search, everything = read([("period", "all"), ("limit", "0")]), Scope(rows.TENANT, everything=True)
        database = DatabaseSearch(engine)
        page = database.page(everything, search, rows.NOW, size=PAGE)
        shown = 0
        while page.after is not None and shown < DEEP - PAGE:
            step = min(500, DEEP - PAGE - shown)
            following = database.page(everything, search, rows.NOW, size=step, after=page.after)
            if following.after is None:
                break
            page, shown = following, shown + step
        return {"after": search_cursor.tell(page.after)} if page.after else {}
    finally:
        engine.dispose()


def _weights(browser: Browser, site: PortalBench) -> list[tuple[str, float, float]]:
    """Return of each page: kilobytes of itself as sent, and with every file that it loads."""
    found = []
    for name, path in (
        ("the list", "/recordings?period=all&limit=0"),
        ("a recording's page", f"/recordings/{site.heard[0]}"),
    ):
        _, _, body = browser.get(path)
        files = sorted(set(_FILE.findall(gzip.decompress(body).decode())))
        whole = len(body) + sum(len(browser.get(file)[2]) for file in files)
        found.append((name, len(body) / 1000, whole / 1000))
    return found


def _result(
    asked: Sequence[Asked], weights: Sequence[tuple[str, float, float]], recordings: int, rounds: int, seconds: float
) -> Result:
    by_name = {one.name: one for one in asked}
    lists = [one for name, one in by_name.items() if name.startswith("the list")]
    slowest = max(one.ended.percentile(95) for one in lists)
    page = by_name["a recording's page"].ended.percentile(95)
    sound = by_name["first sound"].began.percentile(95)
    heaviest = max(whole for _, _, whole in weights)
    head = ("", "first byte p50 ms", "p95", "whole p50 ms", "p95", "CPU ms of the portal")
    times = Table(
        head,
        tuple(
            (
                one.name,
                *(number(spread.percentile(at)) for spread in (one.began, one.ended) for at in (50, 95)),
                number(one.cpu),
            )
            for one in asked
        ),
    )
    weight = Table(
        ("gzipped, kB", "itself", "with all that it loads"),
        tuple((name, number(own), number(whole)) for name, own, whole in weights),
    )
    return Result(
        name="portal",
        title="The portal's pages",
        method=(
            f"`pbx-plugin portal run` on SQLite with {recordings:,} recordings of a year, asked over HTTP by one "
            f"browser that is signed in as superuser. First sound is the first {FIRST_PART // 1024} kB of a recording "
            "that this browser has not heard yet: its audit entry is written and synced before the first byte."
        ),
        runs=f"{rounds} times each, over one connection that stays.",
        tables=(times, weight),
        aims=(
            Aim(f"a page of the list within {LIST_MS:g} ms (p95)", f"{number(slowest)} ms", slowest <= LIST_MS),
            Aim(f"a recording's page within {PAGE_MS:g} ms (p95)", f"{number(page)} ms", page <= PAGE_MS),
            Aim(f"first sound within {SOUND_MS:g} ms of the click (p95)", f"{number(sound)} ms", sound <= SOUND_MS),
            Aim(
                f"a page with all that it loads at most {PAGE_KB:g} kB gzipped",
                f"{number(heaviest)} kB",
                heaviest <= PAGE_KB,
            ),
        ),
        figures={
            "list, p95 ms": slowest,
            "recording's page, p95 ms": page,
            "first sound, p95 ms": sound,
            "heaviest page, kB": heaviest,
        },
        seconds=seconds,
    )
