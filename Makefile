# Each target is a plain sh script under deploy/, for machines without make. All of them set themselves up.
.PHONY: help setup demo check test databases bench docs picture pictures traces

help:
	@echo 'make demo    real calls between two phones, recorded (KEEP=1 leaves it up)'
	@echo 'make test    everything: the checks, then real calls on a real Asterisk'
	@echo 'make check   form, types, floors, unit and contract tests'
	@echo 'make databases what speaks to the database, on PostgreSQL and MariaDB too'
	@echo 'make bench   what recording costs, on this machine (HOUR=1: with a call of an hour)'
	@echo 'make docs    docs/commands.md anew, from the program'
	@echo 'make picture docs/demo.svg anew, from a real demonstration'
	@echo 'make pictures docs/portal/*.png anew, of that demonstration in a browser'
	@echo 'make traces  what Asterisk says of real calls anew, for the tests that replay it'
	@echo 'make setup   only get ready: system packages, Python environment, Asterisk'

setup demo check test databases bench docs picture pictures traces:
	@sh deploy/$@.sh
