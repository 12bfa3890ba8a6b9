"""pyinfra facts of Clockwork's own."""
