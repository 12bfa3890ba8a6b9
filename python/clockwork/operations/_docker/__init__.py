"""The parts of the operations on containers: what is wanted, how that differs from what is there, and the scripts."""
