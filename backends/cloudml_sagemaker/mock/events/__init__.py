"""EventBridge as far as SageMaker needs it: SageMaker's events, rules that act, and schedules that fire.

moto keeps buses, rules, targets and schedules. For a client's PutEvents call `router.put`; after any other request to
`events` or `scheduler` call `schedules.changed`; before PutRule, CreateSchedule and UpdateSchedule ask
`schedules.refuse` and `patterns.refuse`.
"""

from __future__ import annotations

from cloudml.mocks.bus import Change
from cloudml_sagemaker.mock.core.world import World
from cloudml_sagemaker.mock.events import deliveries, schedules
from cloudml_sagemaker.mock.events.messages import KINDS, messages
from cloudml_sagemaker.mock.events.room import has_patterns, room
from cloudml_sagemaker.mock.events.router import emit


def install(world: World) -> None:
    """Tell EventBridge every change of state, and go on with schedules and deliveries of a store from before."""
    room(world)

    def tell(change: Change) -> None:
        if has_patterns(world, change.scope):
            for message in messages(world, change):
                emit(world, change.scope, message)

    world.bus.subscribe(tell, *KINDS, "PipelineExecution", "PipelineExecutionStep")
    schedules.resume(world)
    deliveries.resume(world)
