"""Infrastructure as Python."""
