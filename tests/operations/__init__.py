"""Tests of Clockwork's own operations and facts, under plain pyinfra."""
