"""The command `clockwork`, also to be had as `python -m clockwork`."""

from __future__ import annotations

import sys

from clockwork import _core


def main() -> int:
    """Runs the command line.

    Returns:
        The exit status: 0 done, 1 failed, 2 wrong usage or changes pending, 130 interrupted.
    """
    for argument in sys.argv[1:]:
        try:
            argument.encode()
        except UnicodeEncodeError:
            print(f"error: the argument {argument!a} is no UTF-8 text", file=sys.stderr)
            return 2
    try:
        status = _core.main(["clockwork", *sys.argv[1:]])
    except OSError as error:
        # A failed run is in its report. Only standard output can still fail here.
        print(f"error: standard output cannot be written: {error}", file=sys.stderr)
        status = 1
    local_model = sys.modules.get("clockwork.local_model")
    if local_model is not None:
        local_model.leave(status)
    return status


if __name__ == "__main__":
    sys.exit(main())
