"""pyinfra facts of Clockwork's own. Plain pyinfra runs them too."""
