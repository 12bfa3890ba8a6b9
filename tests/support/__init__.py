"""Shared helpers of the tests: real services to test against, and Clockwork run as by a user."""
