"""What all tests share: a logged error is told with its traceback alone, for every value on the way costs seconds; and
no drawn example fails by being slow, for then a busy machine would decide."""

from __future__ import annotations

import structlog
from hypothesis import settings

for _part in structlog.get_config()["processors"]:
    if isinstance(_part, structlog.dev.ConsoleRenderer):
        _part.exception_formatter = structlog.dev.plain_traceback

settings.register_profile("house", deadline=None)
settings.load_profile("house")
