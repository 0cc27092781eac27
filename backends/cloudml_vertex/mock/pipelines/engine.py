"""Moves one job on, one small step at a time: DAGs open, tasks start, loops spread, ends are told upwards.

Everything here needs the world's lock. A step never calls another: what follows is put on `Run.todo`, so that a wide or
deep pipeline neither nests calls nor keeps requests waiting.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from cloudml_vertex.mock.core import names
from cloudml_vertex.mock.core.operations import Document
from cloudml_vertex.mock.pipelines import ends, leaves, lineage, records, rerun
from cloudml_vertex.mock.pipelines.decide import COMPLETED, FINAL, GOOD, decide, ended
from cloudml_vertex.mock.pipelines.definition import flow
from cloudml_vertex.mock.pipelines.definition.conditions import ConditionError
from cloudml_vertex.mock.pipelines.definition.flow import Unresolved, Values
from cloudml_vertex.mock.pipelines.definition.model import Component, Importer, Task
from cloudml_vertex.mock.pipelines.outputs import dag_outputs
from cloudml_vertex.mock.pipelines.room import DagState, LoopState, Run, stored, values_of

STARTING = "STARTING"
"""Stands for a task that is about to start and has no record yet."""


def step(run: Run) -> bool:
    """Do one thing; False when there was nothing to do."""
    if not run.todo:
        return False
    action, path, key = run.todo.popleft()
    ACTIONS[action](run, path, key)
    return True


def announce(run: Run) -> None:
    """A job that is PENDING gets its contexts in ML Metadata. Needs the lock."""
    run.job["job_detail"] = lineage.contexts(run)
    lineage.run_opened(run)
    run.world.table(records.JOBS, run.scope).put(run.name, run.job)


def open_job(run: Run) -> None:
    """A job that is PENDING begins to run."""
    if "job_detail" not in run.job:
        announce(run)
    stamp = run.world.stamp()
    run.job.update(start_time=stamp, update_time=stamp)
    set_job(run, "PIPELINE_STATE_RUNNING")
    run.todo.append(("open", "", ""))


def cancel(run: Run) -> None:
    """The job has come to CANCELLING: nothing starts any more, what is under way is cancelled."""
    for record in list(run.tasks.values()):
        if record["_kind"] not in {"dag", "loop"} and record["state"] not in FINAL:
            leaves.cancel(run, record)
    if not run.dags:
        _finish_job(run, "CANCELLED")
    stop_starting(run)


def stop_starting(run: Run) -> None:
    """After a failure under "fail fast", or a cancel: rule out everywhere what may not start any more."""
    for dag in run.dags.values():
        _look(run, dag, None)
    run.todo.extend(("spread", path, "") for path in run.loops)


def rebuild(run: Run) -> None:
    """Make the DAGs and loops of a job that was under way again from its records, and go on with them."""
    run.dags[""] = _dag_state(run, "", run.definition.root, values_of(run.job["_inputs"]))
    for path, record in run.tasks.items():
        state = record["state"]
        if "_index" in record:
            loop = run.loops.get(record["_parent"])
            if loop is not None:
                loop.states[record["_index"]] = state
                loop.running += state not in FINAL
        elif record["_parent"] in run.dags:
            outputs = values_of(record.get("_outputs")) if state in GOOD else None
            run.dags[record["_parent"]].settle(record["_key"], state, outputs)
        if state not in FINAL and record["_kind"] == "loop":
            run.loops[path] = _loop_state(run, record)
        elif state not in FINAL and record["_kind"] == "dag":
            run.dags[path] = _dag_state(run, path, run.component(record), values_of(record["_inputs"]))
        run.halted |= run.fails_fast and state == "FAILED"
    for record in list(run.tasks.values()):
        if record["state"] not in FINAL and record["_kind"] not in {"dag", "loop"}:
            leaves.resume(run, record)
    stop_starting(run)


def set_job(run: Run, state: str, **more: Any) -> None:
    """The job comes to a state."""
    run.world.change(
        run.world.table(records.JOBS, run.scope), run.name, "state", state, update_time=run.world.stamp(), **more
    )


def _open(run: Run, path: str, _: str) -> None:
    """A DAG begins."""
    if path:
        record = run.tasks[path]
        component, inputs = run.component(record), values_of(record["_inputs"])
    else:
        component, inputs = run.definition.root, values_of(run.job["_inputs"])
    run.dags[path] = _dag_state(run, path, component, inputs)
    _look(run, run.dags[path], None)


def _dag_state(run: Run, path: str, component: Component, inputs: Values) -> DagState:
    plan = run.plan(component)
    return DagState(path, component, plan, inputs, open=len(plan.nodes))


def _look(run: Run, dag: DagState, changed: Iterable[str] | None) -> None:
    """See what can start in a DAG now, and whether it is over."""
    decision = decide(dag.plan, dag.states, changed, halted=run.halted, closed=run.closed)
    for key in decision.never:
        _never(run, dag, key)
    for key in decision.start:
        dag.states[key] = STARTING
        run.todo.append(("start", dag.path, key))
    if dag.open == 0:
        run.todo.append(("close", dag.path, ""))


def _never(run: Run, dag: DagState, key: str) -> None:
    """A task that can never start: its trigger policy is not satisfied."""
    record = _record(run, dag, key)
    if run.world.switches["task-never-started"] == "absent" or run.closed:
        record["_hidden"] = True
    _enter(run, record, "NOT_TRIGGERED")
    dag.settle(key, "NOT_TRIGGERED")


def _start(run: Run, path: str, key: str) -> None:
    """A task's turn has come."""
    dag = run.dags.get(path)
    if dag is None or dag.states.get(key) != STARTING:
        return
    task = _task(dag, key)
    if run.closed or (run.halted and task.strategy != COMPLETED):
        _never(run, dag, key)
        _look(run, dag, [key])
        return
    record = _record(run, dag, key)
    dag.states[key] = "PENDING"
    try:
        given = flow.task_inputs(
            run.definition, task, dag.inputs, dag.produced, lambda name: _final_status(run, dag, name)
        )
        inputs = rerun.overridden(run, record["_path"], given)
        record["_inputs"] = stored(inputs)
        triggered = task.condition is None or task.condition.holds(inputs)
        items = flow.iterations(run.definition, task, inputs) if triggered and task.iterator is not None else None
    except (Unresolved, ConditionError) as problem:
        _enter(run, record, "PENDING")
        ends.fail(run, record, str(problem))
        return
    if not triggered:
        _enter(run, record, "NOT_TRIGGERED")
        run.todo.append(("ended", record["_path"], ""))
    elif items is not None:
        _enter(run, {**record, "_kind": "loop"}, "RUNNING")
        run.loops[record["_path"]] = LoopState(record["_path"], items, task.parallelism or len(items))
        run.todo.append(("spread", record["_path"], ""))
    else:
        _work(run, record)


def _work(run: Run, record: Document) -> None:
    """Begin what a record stands for: its DAG, its importer or its container."""
    lineage.show(run, record, "inputs", record["_inputs"])
    if record["_kind"] == "dag":
        _enter(run, record, "RUNNING")
        run.todo.append(("open", record["_path"], ""))
    else:
        _enter(run, record, "PENDING")
        leaves.begin(run, record)


def _spread(run: Run, path: str, _: str) -> None:
    """Start a loop's next iteration as far as its parallelism allows, or end the loop."""
    loop = run.loops.get(path)
    if loop is None:
        return
    number = len(loop.states)
    more = number < len(loop.items) and not run.closed and not run.halted
    if more and loop.running < loop.width:
        loop.states[number] = "PENDING"
        loop.running += 1
        run.todo.append(("spread", path, ""))
        parent = run.tasks[path]
        record = _blank(run, parent, records.below(path, number), parent["_key"], f"{parent['task_name']}-{number}")
        record.update(_index=number, _kind=_kind(run, run.component(parent)), _inputs=stored(loop.items[number]))
        _work(run, record)
    elif not more and not loop.running:
        del run.loops[path]
        _end_loop(run, run.tasks[path], loop)


def _end_loop(run: Run, record: Document, loop: LoopState) -> None:
    state = "CANCELLED" if run.closed and len(loop.states) < len(loop.items) else ended(loop.states.values())
    if state != "SUCCEEDED":
        failed = [f"{record['task_name']}-{number}" for number, one in loop.states.items() if one == state]
        ends.finish(run, record, state, error=_error(state, failed))
        return
    kept = (run.tasks[records.below(loop.path, number)] for number in range(len(loop.items)))
    each = [values_of(one.get("_outputs")) for one in kept]
    try:
        outputs = flow.collected(run.definition, run.component(record), each)
    except Unresolved as problem:
        ends.fail(run, record, str(problem))
        return
    ends.finish(run, record, "SUCCEEDED", outputs=outputs)


def _ended(run: Run, path: str, _: str) -> None:
    """A task has ended: the loop or the DAG around it goes on."""
    record = run.tasks[path]
    state = record["state"]
    if state == "FAILED" and run.fails_fast and not run.halted:
        run.halted = True
        stop_starting(run)
    if "_index" in record:
        loop = run.loops.get(record["_parent"])
        if loop is not None:
            loop.states[record["_index"]] = state
            loop.running -= 1
            run.todo.append(("spread", loop.path, ""))
        return
    dag = run.dags.get(record["_parent"])
    if dag is not None:
        dag.settle(record["_key"], state, values_of(record.get("_outputs")) if state in GOOD else None)
        _look(run, dag, [record["_key"]])


def _close(run: Run, path: str, _: str) -> None:
    """All tasks of a DAG have ended: so has the DAG."""
    dag = run.dags.pop(path, None)
    if dag is None:
        return
    state = ended(dag.states.values())
    if not path:
        _finish_job(run, state, dag)
        return
    record = run.tasks[path]
    if state != "SUCCEEDED":
        ends.finish(run, record, state, error=_error(state, _those(dag, state)))
        return
    outputs = dag_outputs(run.definition, dag.component, dag.inputs, dag.produced)
    ends.finish(run, record, state, outputs=outputs)


def _finish_job(run: Run, state: str, dag: DagState | None = None) -> None:
    if run.closed and (dag is None or state != "SUCCEEDED" or "NOT_TRIGGERED" in dag.states.values()):
        state = "CANCELLED"
    more: Document = {"end_time": run.world.stamp()}
    if state == "CANCELLED" and run.closed:
        more["error"] = ends.status(ends.CANCELLED, f"The PipelineJob {run.name} was cancelled.")
    elif state != "SUCCEEDED":
        state = "FAILED"
        failed = [*_those(dag, "FAILED"), *_those(dag, "CANCELLED")] if dag is not None else []
        where = f"(project_id = {run.world.project_id(run.scope.account)}, job_id = {run.id})"
        text = f"{_failed(failed)}; Job {where} is failed due to the above error."
        more["error"] = ends.status(ends.PRECONDITION, text)
    run.todo.clear()
    lineage.run_closed(run, state)
    set_job(run, f"PIPELINE_STATE_{state}", **more)
    run.room.driver.ended(run)


def _those(dag: DagState, state: str) -> list[str]:
    return [key for key, one in dag.states.items() if one == state]


def _failed(tasks: list[str]) -> str:
    return f"The DAG failed because some tasks failed. The failed tasks are: [{', '.join(tasks)}]."


def _error(state: str, tasks: list[str]) -> Document:
    if state == "CANCELLED":
        return ends.status(ends.CANCELLED, "The task was cancelled.")
    return ends.status(ends.PRECONDITION, _failed(tasks))


def _final_status(run: Run, dag: DagState, key: str) -> Document:
    """PipelineTaskFinalStatus of a task that has ended, in proto3 JSON."""
    record = run.tasks[records.below(dag.path, key)]
    state = record["state"]
    found: Document = {
        "state": "SUCCEEDED" if state in GOOD else state,
        "pipelineJobUuid": run.job["_uuid"],
        "pipelineJobName": run.id,
        "pipelineJobResourceName": run.name,
        "pipelineTaskName": record["task_name"],
    }
    if "error" in record:
        found["error"] = dict(record["error"])
    return found


def _task(dag: DagState, key: str) -> Task:
    assert dag.component.dag is not None
    return dag.component.dag.tasks[key]


def _kind(run: Run, component: Component) -> str:
    if component.dag is not None:
        return "dag"
    return "importer" if isinstance(run.definition.executors[component.executor or ""], Importer) else "container"


def _record(run: Run, dag: DagState, key: str) -> Document:
    task = _task(dag, key)
    parent = run.tasks[dag.path] if dag.path else None
    name = task.name if run.world.switches["task-name"] == "task-info" else key
    record = _blank(run, parent, records.below(dag.path, key), key, name)
    record["_kind"] = _kind(run, run.definition.components[task.component])
    return record


def _blank(run: Run, parent: Document | None, path: str, key: str, name: str) -> Document:
    record: Document = {
        "task_id": int(names.new_id(run.world, "task")),
        "task_name": name,
        "task_unique_name": name if parent is None else f"{parent['task_unique_name']}.{name}",
        "create_time": run.world.stamp(),
        "_job": run.name,
        "_path": path,
        "_parent": parent["_path"] if parent is not None else "",
        "_key": key,
    }
    if parent is not None:
        record["parent_task_id"] = parent["task_id"]
    return record


def _enter(run: Run, record: Document, state: str) -> None:
    """A task gets its record. The index first: what hears of the task finds it there."""
    run.tasks[record["_path"]] = record
    records.enter(run.world, run.scope, record, state)


def _loop_state(run: Run, record: Document) -> LoopState:
    task = run.task(record)
    items = flow.iterations(run.definition, task, values_of(record["_inputs"]))
    return LoopState(record["_path"], items, task.parallelism or len(items))


ACTIONS: dict[str, Callable[[Run, str, str], None]] = {
    "open": _open,
    "start": _start,
    "spread": _spread,
    "ended": _ended,
    "close": _close,
}
"""What `Run.todo` holds: an action, a path, and the key of a task in that DAG."""
