"""chaostoolkit-kubernetes, for what of it is sound: always told which cluster, never the current context.

Its client is made from the file that KUBECONFIG names and a context from `secrets`. Without such a file it falls back
to http://localhost; the name of the file is read once, when the Kubernetes client is imported; and what was loaded
becomes everybody's default. So all three are set for each use, and put back.
"""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from unittest.mock import patch

from kubernetes.client import Configuration
from kubernetes.config import kube_config

from experiments.testbed.layout import Place
from scenarios.errors import Problem, UsageError

_one_at_a_time = threading.RLock()  # the environment belongs to the whole process


@contextmanager
def secrets_for(place: Place) -> Iterator[dict[str, str]]:
    """`secrets` for its functions, valid while the block runs. Raises UsageError when there is no kubeconfig."""
    file = str(place.kubeconfig)
    if not place.kubeconfig.is_file():
        remedy = "Run `gameday testbed up`."
        raise UsageError(Problem(place.kubeconfig.name, "no such file", f"the kubeconfig of {place.region}", remedy))
    with (
        _one_at_a_time,
        patch.dict(os.environ, KUBECONFIG=file),
        patch.object(kube_config, "KUBE_CONFIG_DEFAULT_LOCATION", file),
        patch.object(Configuration, "_default", None),
    ):
        yield {"KUBERNETES_CONTEXT": place.context}
