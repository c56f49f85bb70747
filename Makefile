# Each target is a plain sh script under deploy/, for machines without make. All of them set themselves up.
.PHONY: help setup demo check test bench

help:
	@echo 'make demo    real calls between two phones, recorded (KEEP=1 leaves it up)'
	@echo 'make test    everything: the checks, then real calls on a real Asterisk'
	@echo 'make check   form, types, floors, unit and contract tests'
	@echo 'make bench   what recording costs, on this machine'
	@echo 'make setup   only get ready: system packages, Python environment, Asterisk'

setup demo check test bench:
	@sh deploy/$@.sh
