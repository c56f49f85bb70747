"""What all tests share: a logged error is told with its traceback alone, for every value on the way costs seconds."""

from __future__ import annotations

import structlog

for _part in structlog.get_config()["processors"]:
    if isinstance(_part, structlog.dev.ConsoleRenderer):
        _part.exception_formatter = structlog.dev.plain_traceback
