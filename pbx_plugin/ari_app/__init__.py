"""The recorder: hears Asterisk, lets the domain decide, and performs what it asks for."""
