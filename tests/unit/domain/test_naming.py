"""Names of sound files: opaque in spool and archive, telling in a download, harmless everywhere."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pbx_plugin.domain.naming import (
    ArchiveName,
    Holding,
    Sense,
    SpoolName,
    archive_file,
    download_name,
    media_of,
    parse_archive,
    parse_spool,
    part_file,
    spool_file,
    spool_name,
)

MEDIA = "0b9c8f3e-6d1a-4c58-9a53-2f1f6f0f9a11"
TENANT = "7e57ab1e-0000-4000-8000-000000000001"
AT = datetime(2026, 11, 22, 23, 30, tzinfo=UTC)


def is_id(text: str) -> bool:
    try:
        return str(UUID(text)) == text
    except ValueError:
        return False


ids = st.uuids().map(str)
moments = st.datetimes(timezones=st.timezones(), min_value=datetime(1, 1, 3), max_value=datetime(9999, 12, 28))
hostile = st.one_of(
    st.text().filter(lambda text: not is_id(text)),  # hypothesis also tries the constants of our own files
    st.sampled_from(
        ["..", "../..", "/etc", "", ".", "a/b", MEDIA + "\n", MEDIA.upper(), MEDIA + "/..", "\0", "٣" * 36]
    ),
    st.uuids().map(lambda u: u.hex),
)


def test_a_segment_is_named_by_day_and_id_in_the_spool_and_by_tenant_in_the_archive() -> None:
    assert spool_name(MEDIA, AT, Sense.IN) == f"pbxrec/2026/11/22/{MEDIA}-in"
    assert spool_file(spool_name(MEDIA, AT, Sense.OUT)) == f"pbxrec/2026/11/22/{MEDIA}-out.wav"
    audio = archive_file(TENANT, MEDIA, AT, Holding.AUDIO)
    assert audio == f"{TENANT}/2026/11/22/{MEDIA}.wav"
    assert archive_file(TENANT, MEDIA, AT, Holding.PEAKS) == f"{TENANT}/2026/11/22/{MEDIA}.peaks.json"
    assert part_file(audio) == f"{TENANT}/2026/11/22/.{MEDIA}.wav.part"


def test_the_day_is_that_of_utc_wherever_the_clock_hangs() -> None:
    in_copenhagen = AT.astimezone(timezone(timedelta(hours=1)))
    assert in_copenhagen.day == 23
    assert spool_name(MEDIA, in_copenhagen, Sense.IN) == spool_name(MEDIA, AT, Sense.IN)


@given(ids, moments, st.sampled_from(Sense))
def test_what_the_spool_name_was_made_of_is_read_back(media: str, at: datetime, sense: Sense) -> None:
    name = spool_name(media, at, sense)
    said = SpoolName(media, at.astimezone(UTC).date(), sense)
    assert parse_spool(name) == parse_spool(spool_file(name)) == said
    assert media_of(name) == media_of(spool_file(name)) == media
    assert parse_archive(name) is None


@given(ids, ids, moments, st.sampled_from(Holding))
def test_what_the_archive_name_was_made_of_is_read_back(
    tenant: str, media: str, at: datetime, holding: Holding
) -> None:
    final = archive_file(tenant, media, at, holding)
    day = at.astimezone(UTC).date()
    assert parse_archive(final) == ArchiveName(tenant, media, day, holding, part=False)
    assert parse_archive(part_file(final)) == ArchiveName(tenant, media, day, holding, part=True)
    assert media_of(final) == media_of(part_file(final)) == media
    assert parse_spool(final) is None


@given(hostile)
def test_an_id_that_is_no_uuid_never_becomes_part_of_a_path(value: str) -> None:
    with pytest.raises(ValueError, match="not a media id"):
        spool_name(value, AT, Sense.IN)
    with pytest.raises(ValueError, match="not a tenant id"):
        archive_file(value, MEDIA, AT, Holding.AUDIO)
    with pytest.raises(ValueError, match="not a media id"):
        archive_file(TENANT, value, AT, Holding.AUDIO)


def test_a_time_without_zone_is_refused() -> None:
    naive = datetime(2026, 11, 22)
    with pytest.raises(ValueError, match="zone"):
        spool_name(MEDIA, naive, Sense.IN)
    with pytest.raises(ValueError, match="zone"):
        download_name(naive, "a", "b", "c")


@pytest.mark.parametrize(
    "foreign",
    [
        "",
        "monitor/2026/11/22/q-500-1.wav",
        f"pbxrec/2026/11/22/{MEDIA}.wav",
        f"pbxrec/2026/11/22/{MEDIA}-both.wav",
        f"pbxrec/2026/13/45/{MEDIA}-in.wav",
        f"pbxrec/2026/11/22/{MEDIA}-in.wav\n",
        f"pbxrec/2026/11/22/../{MEDIA}-in.wav",
        f"/pbxrec/2026/11/22/{MEDIA}-in.wav",
        f"pbxrec/٢٠٢٦/11/22/{MEDIA}-in",
        f"{TENANT}/2026/11/22/{MEDIA}.mp3",
        f"{TENANT}/2026/02/30/{MEDIA}.wav",
        f"{TENANT}/2026/11/22/.{MEDIA}.wav",
        f"{TENANT}/2026/11/22/{MEDIA}.wav.part",
        f"../{TENANT}/2026/11/22/{MEDIA}.wav",
        f"{TENANT}/2026/11/22/{MEDIA.upper()}.wav",
    ],
)
def test_a_foreign_name_is_not_taken_for_ours(foreign: str) -> None:
    assert media_of(foreign) is None
    with pytest.raises(ValueError, match="not a spool name"):
        spool_file(foreign)
    with pytest.raises(ValueError, match="not a final archive name"):
        part_file(foreign)


def test_only_a_final_name_gets_an_unfinished_one_and_only_a_bare_spool_name_an_extension() -> None:
    with pytest.raises(ValueError, match="not a final"):
        part_file(part_file(archive_file(TENANT, MEDIA, AT, Holding.AUDIO)))
    with pytest.raises(ValueError, match="not a spool name"):
        spool_file(spool_name(MEDIA, AT, Sense.IN) + ".wav")


@given(st.sampled_from(Sense), st.sampled_from(Holding), st.booleans(), st.integers(0, 120), st.characters())
def test_a_name_with_one_strange_character_is_read_only_if_we_would_write_it_so(
    sense: Sense, holding: Holding, in_spool: bool, place: int, strange: str
) -> None:
    right = spool_name(MEDIA, AT, sense) if in_spool else archive_file(TENANT, MEDIA, AT, holding)
    bent = right[:place] + strange + right[place + 1 :]
    spool, archive = parse_spool(bent), parse_archive(bent)
    if spool:
        at = datetime(spool.day.year, spool.day.month, spool.day.day, tzinfo=UTC)
        assert spool_name(spool.media_id, at, spool.sense) == bent
    if archive:
        at = datetime(archive.day.year, archive.day.month, archive.day.day, tzinfo=UTC)
        assert archive_file(archive.tenant_id, archive.media_id, at, archive.holding) == bent


def test_a_download_tells_date_user_other_party_and_dialled_number() -> None:
    at = datetime(2026, 11, 22, 14, 5, 9, tzinfo=timezone(timedelta(hours=1)))
    name = download_name(at, "Søren Ærø-Åkesson", "+4512345678", "+4570101010")
    assert name == "2026-11-22_14-05-09_Søren-Ærø-Åkesson_+4512345678_+4570101010.wav"


def test_a_decomposed_letter_from_a_mac_keeps_its_ring() -> None:
    assert "Åse" in download_name(AT, "A\u030ase", "1", "2")


def test_what_is_not_known_says_so() -> None:
    assert download_name(AT, "", "***", " ") == "2026-11-22_23-30-00_unknown_unknown_unknown.wav"


@pytest.mark.parametrize("suffix", ["", "WAV", "wav/", "wav.", "toolong", "../w", "wav\n"])
def test_a_suffix_cannot_smuggle_anything(suffix: str) -> None:
    with pytest.raises(ValueError, match="suffix"):
        download_name(AT, "a", "b", "c", suffix)


_evil = st.one_of(
    st.text(max_size=400),
    st.text(alphabet=st.characters(), max_size=400),
    st.sampled_from(
        ["../../etc/passwd", "CON", "a\0b", "\u202egpj.exe", "x" * 5000, "🙂" * 300, "å" * 300, "_", "~", "$(x)"]
    ),
)


@given(_evil, _evil, _evil)
def test_whatever_a_caller_sent_the_download_name_is_harmless(user: str, other: str, dialled: str) -> None:
    name = download_name(AT, user, other, dialled)
    assert len(name.encode()) <= 200
    assert not set(name) & set('/\\:*?"<>|\0\r\n\t $;`~\u202e\u200f')
    assert ".." not in name
    assert name.startswith("2026-11-22_23-30-00_")
    assert name.endswith(".wav")
    assert name.count("_") == 4
    assert all(piece and piece[-1] not in ". " for piece in name.removesuffix(".wav").split("_"))
    assert name.isprintable()


def test_ids_are_those_that_python_prints() -> None:
    assert is_id(MEDIA)
    assert parse_spool(spool_name(MEDIA, AT, Sense.IN)) == SpoolName(MEDIA, date(2026, 11, 22), Sense.IN)
