"""A service of systemd, as a kind of your own: the class is in systemd_unit.py, what it does in unit_operations.py.

Needs systemd, root, and a model that knows unit files (see the settings in the README):

    clockwork generate examples/systemd-unit
    clockwork apply examples/systemd-unit
    clockwork destroy examples/systemd-unit

Read what the model wrote in clockwork.lock before you apply it. To write the unit yourself, give `text="…"`.
"""

from systemd_unit import SystemdUnit

clock = SystemdUnit(
    name="clockwork-clock.service",
    description="Writes the time into its log once a minute, with nothing but /bin/sh",
)
