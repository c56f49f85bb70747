"""Use cases over ports: no SQL, files, Asterisk or HTTP here."""
