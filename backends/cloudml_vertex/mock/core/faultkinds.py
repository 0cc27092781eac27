"""What can be made to go wrong: each kind strikes at one place, where `world.faults.strike(place, subjects)` asks."""

from __future__ import annotations

from cloudml.mocks.faults import FaultKind, table

KINDS = table(
    (
        FaultKind("throttle", "operation", "RESOURCE_EXHAUSTED (429), nothing done"),
        FaultKind("internal-error", "operation", "INTERNAL (500), nothing done"),
        FaultKind("unavailable", "operation", "UNAVAILABLE (503), nothing done"),
        FaultKind("latency", "operation", "the answer comes `seconds` (real) later"),
        FaultKind("lost-response", "operation", "the request takes effect, then the connection breaks unanswered"),
        FaultKind("stale", "read", "Get and List do not see what was created in the last `seconds` (default 2)"),
        FaultKind("operation-fails", "lro", "a long-running operation fails with INTERNAL, and nothing of it stays"),
        FaultKind("operation-lost", "lro", "the effect takes place, and the operation itself is never found again"),
        FaultKind("operation-hang", "lro", "the operation never ends, and nothing happens"),
        FaultKind("operation-slow", "lro", "the operation begins `seconds` of the mock's clock later"),
        FaultKind("capacity", "job", "the job fails: resources are insufficient in the region (stockout)"),
        FaultKind("internal", "job", "the job fails with an internal error"),
        FaultKind("die", "job", "the container is killed (SIGKILL) once it runs"),
        FaultKind("hang", "job", "the container never ends; only a cancel or its time limit ends the job"),
        FaultKind("slow", "job", "the job takes `seconds` of the mock's clock more"),
        FaultKind(
            "quota", "quota", "a job is refused at its creation: quota metrics exceed their limits (RESOURCE_EXHAUSTED)"
        ),
        FaultKind(
            "preempt",
            "spot",
            "the spot machines of a job are taken away: SIGTERM once it has written to AIP_CHECKPOINT_DIR, if it has "
            "one; after `seconds` of the mock's clock the job begins again",
        ),
        FaultKind("unhealthy", "endpoint", "the container of a deployment never answers its health route"),
        FaultKind("endpoint-capacity", "endpoint", "a deployment finds no machines (RESOURCE_EXHAUSTED)"),
        FaultKind("out-of-memory", "endpoint", "the container of a deployment is killed for lack of memory"),
    )
)
"""Subjects: RPCs by method and by service ("DeployModel", "EndpointService.DeployModel"), long-running ones also by the
resource's name; jobs as "CustomJob/DISPLAY NAME" or "BatchPredictionJob/DISPLAY NAME" and, of a pipeline, "task/TASK
NAME"; endpoints by display name."""
