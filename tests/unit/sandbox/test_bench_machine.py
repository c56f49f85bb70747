"""Reading what Linux says of processor, disk and processes, and the sound that callers send."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from pbx_plugin.sandbox.bench_machine import cpu_model, filesystem, read_stat
from pbx_plugin.sandbox.bench_sipp import a_law


def test_the_processor_is_named_as_it_names_itself() -> None:
    assert cpu_model("processor\t: 0\nmodel name\t: Some  CPU @ 3 GHz\nmodel name\t: Other\n") == "Some CPU @ 3 GHz"


def test_a_processor_without_a_name_is_told_by_its_kind() -> None:
    assert cpu_model("processor\t: 0\nCPU part\t: 0xd0c\n")


def test_the_file_system_is_that_of_the_nearest_mount() -> None:
    mounts = "/dev/a / ext4 rw 0 0\ntmpfs /tmp tmpfs rw 0 0\n/dev/b /tm xfs rw 0 0\n"
    assert filesystem(mounts, Path("/tmp/bench")) == "tmpfs"
    assert filesystem(mounts, Path("/tmpfoo")) == "ext4"


def test_a_process_may_call_itself_anything() -> None:
    #           pid name             state parent ...                      utime stime cutime cstime
    stat = "42 (a) b (c) S 7 42 42 0 -1 4194560 100 0 0 0 11 22 3 4 20 0 1 0 900 1 1"
    assert read_stat(stat) == (7, 40)


def test_a_law_is_that_of_the_standard() -> None:
    # G.711: silence is 0xD5, the loudest positive sample 0xAA, the loudest negative one 0x2A.
    assert a_law(np.array([0.0002, 1.0, -1.0])).tolist() == [0xD5, 0xAA, 0x2A]


def test_a_law_is_within_three_percent_or_a_step_of_what_was_said() -> None:
    said = np.linspace(-0.98, 0.98, 1001)
    byte = a_law(said).astype(int) ^ 0x55
    exponent, mantissa = (byte >> 4) & 7, byte & 15
    size = np.where(exponent == 0, mantissa * 16 + 8, (mantissa * 16 + 264) * 2 ** np.maximum(exponent - 1, 0))
    heard = np.where(byte & 0x80, size, -size) / 32767
    assert np.all(np.abs(heard - said) <= np.maximum(0.035 * np.abs(said), 16 / 32767))
