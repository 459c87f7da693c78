"""The type of what a mechanism does over time."""

from collections.abc import Generator
from typing import Any

import simpy

Wait = Generator[simpy.Event, Any, Any]
