"""What can be made to go wrong: each kind strikes at one place, where `world.faults.strike(place, subjects)` asks."""

from __future__ import annotations

from cloudml.mocks.faults import FaultKind, table

KINDS = table(
    (
        FaultKind("throttle", "operation", "ThrottlingException (400, 'Rate exceeded'), nothing done"),
        FaultKind("internal-error", "operation", "InternalFailure (500), nothing done"),
        FaultKind("unavailable", "operation", "ServiceUnavailable (503), nothing done"),
        FaultKind(
            "lost-response", "operation", "the request takes effect, then the connection breaks without an answer"
        ),
        FaultKind("stale", "read", "Describe and List do not see what was created in the last `seconds` (default 2)"),
        FaultKind("capacity", "job", "the job fails: CapacityError, unable to provision requested ML compute capacity"),
        FaultKind("internal", "job", "the job fails: InternalServerError, for which pipelines may retry"),
        FaultKind("die", "job", "the container is killed (SIGKILL) once it runs"),
        FaultKind("hang", "job", "the container never ends; only a stop or its time limit ends the job"),
        FaultKind("slow", "job", "the job takes `seconds` of the mock's clock more"),
        FaultKind(
            "interrupt",
            "spot",
            "a spot interruption of a training job: SIGTERM once it has written a checkpoint, if it keeps any; after "
            "`seconds` of the mock's clock it begins again from its checkpoints",
        ),
        FaultKind("unhealthy", "endpoint", "the new fleet of an endpoint never answers /ping"),
        FaultKind("endpoint-capacity", "endpoint", "the new fleet of an endpoint cannot be provisioned"),
        FaultKind(
            "silent-rollback", "endpoint", "an update ends InService with the old configuration, without an alarm"
        ),
        FaultKind(
            "rollback-failed", "endpoint", "a deployment that turns back gets stuck: UpdateRollbackFailed, two fleets"
        ),
    )
)
"""Subjects: operations by name ("CreateProcessingJob"), those that a pipeline makes itself as "step/STEP"; jobs, spot
ones too, as "ProcessingJob/NAME" and, of a pipeline, "step/STEP"; endpoints by name."""
