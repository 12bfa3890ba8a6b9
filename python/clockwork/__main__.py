"""The command `clockwork`, also to be had as `python -m clockwork`."""

from __future__ import annotations

import sys

from clockwork import _core


def main() -> int:
    """Runs the command line.

    Returns:
        The exit status: 0 done, 1 failed, 2 wrong usage or changes pending, 130 interrupted.
    """
    return _core.main(["clockwork", *sys.argv[1:]])


if __name__ == "__main__":
    sys.exit(main())
