"""Call recording for Asterisk and FreePBX: decides, asks for consent, captures both sides, keeps and proves."""
