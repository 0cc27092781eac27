"""Room `pipelines`: definitions, executions, and the driver that runs their steps through the mock's own API."""

from __future__ import annotations

from cloudml_sagemaker.mock.core.world import World
from cloudml_sagemaker.mock.pipelines import definitions, executions, steps
from cloudml_sagemaker.mock.pipelines.driver import Driver
from cloudml_sagemaker.mock.pipelines.lambdas import Functions
from cloudml_sagemaker.mock.pipelines.room import Room

__all__ = ["definitions", "executions", "install", "steps"]

_KINDS = ("ProcessingJob", "TrainingJob", "TransformJob", "HyperParameterTuningJob", "ModelPackage", "Endpoint")


def install(world: World) -> None:
    """Make the room part of the world, and go on with the executions that a store from before holds."""
    room = Room(world)
    world.rooms["pipelines"] = room
    driver = Driver(room)
    world.rooms["lambdas"] = Functions(driver.functions_given, world.functions)
    world.bus.subscribe(driver.changed, *_KINDS)
    driver.resume()
