"""Values and pure functions of call recording: no I/O, no clock, no database, no Asterisk."""
