"""Why a custom job ended, in Vertex AI's words.

Wording of failures as users report them: GoogleCloudPlatform/vertex-ai-samples issues 700, 1898 and 3479 and pull
request 1504; tensorflow/models issue 6912 for the link to the logs.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

from cloudml.mocks.store import Scope
from cloudml_vertex.mock.core.errors import CODES

Document = dict[str, Any]

INTERNAL = "Internal error occurred for the current attempt."
CANCELLED = "CANCELED"
PREEMPTED = "The spot machines of the job were preempted, and retries are disabled."
TIMEOUT = "The job exceeded its timeout and was cancelled."
NO_MACHINES_IN_TIME = "The requested resources were not provisioned within max_wait_duration."
QUOTA = "The following quota metrics exceed quota limits: aiplatform.googleapis.com/custom_model_training_cpus"


def error(code: str, message: str) -> Document:
    """A google.rpc.Status document by the canonical name of its code."""
    return {"code": CODES[code][0], "message": message}


def stockout(scope: Scope) -> str:
    """There are no machines."""
    return (
        f"Resources are insufficient in region: {scope.region}. Please try a different region or use a different "
        "accelerator, machine type."
    )


def exited(scope: Scope, job_id: str, failed: Sequence[tuple[str, int]]) -> str:
    """Replicas exited with these statuses (not 0)."""
    told = " ".join(
        f"The replica {name} exited with a non-zero status of {code}. Termination reason: Error."
        for name, code in failed
    )
    wanted = f'resource.type="ml_job"\nresource.labels.job_id="{job_id}"'
    return (
        f"{told} To find out more about why your job exited please check the logs: "
        f"https://console.cloud.google.com/logs/viewer?project={scope.account}"
        f"&resource=ml_job%2Fjob_id%2F{job_id}&advancedFilter={quote(wanted, safe='')}"
    )
