"""What the containers outside both regions are given."""

import os

from experiments.testbed import containers
from tests.unit.testbed.conftest import Machine


def test_what_they_mount_is_readable_whatever_the_umask(machine: Machine) -> None:
    """Alertmanager and CoreDNS run as users of their own, without any capability."""
    before = os.umask(0o077)
    try:
        containers.write_files()
    finally:
        os.umask(before)
    modes = {path.name: path.stat().st_mode & 0o777 for path in containers._folder().iterdir()}
    assert modes == {"Corefile": 0o644, "alertmanager.yml": 0o644}
