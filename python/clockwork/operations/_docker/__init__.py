"""The parts of the operations on containers: the desired container, the comparison, and the scripts."""
