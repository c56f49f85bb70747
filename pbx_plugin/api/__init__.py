"""The REST interface and the webhooks: other programs at work on one company, by tokens with scopes."""
