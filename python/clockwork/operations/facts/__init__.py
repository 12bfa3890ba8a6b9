"""pyinfra facts of Clockwork's own, on which its operations rest."""
