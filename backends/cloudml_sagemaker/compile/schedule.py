"""Schedules: cron and intervals in the language of EventBridge Scheduler.

Its cron has six fields; of day-of-month and day-of-week one is `?`; days of the week count from Sunday = 1
(EventBridge Scheduler user guide, "Schedule types"). Here days are written by name, which is the same everywhere.
"""

from __future__ import annotations

from cloudml import spec
from cloudml.errors import Diagnostic
from cloudml_sagemaker import names
from cloudml_sagemaker.compile.context import Context, Document

LONGEST = 64
"""Characters of a schedule's name (EventBridge Scheduler API reference, CreateSchedule)."""

_DAYS = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")
_MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
_UNITS = ((86_400, "day"), (3_600, "hour"), (60, "minute"))


def request(context: Context, pipeline: str) -> Document | None:
    """The CreateSchedule request that starts the pipeline of that name; None when it has no schedule."""
    schedule = context.pipeline.schedule
    if schedule is None:
        return None
    required = [one.name for one in context.pipeline.parameters if one.required]
    if required:
        message = f"the pipeline runs on a schedule, and {', '.join(required)} must be given for each run"
        context.findings.append(Diagnostic("CML341", "schedule", message, "give the parameters defaults"))
    return entry(context, pipeline, schedule, "schedule")


def entry(context: Context, pipeline: str, schedule: spec.Schedule, where: str) -> Document:
    """The CreateSchedule request that starts an AWS pipeline of that name, in the target's group.

    `where` is what findings (CML341) speak of.
    """
    found: Document = {
        "Name": pipeline if len(pipeline) <= LONGEST else names.resource(pipeline),
        "GroupName": names.schedule_group(context.place.project, context.place.target),
        "ScheduleExpression": _expression(context, schedule, where),
        "FlexibleTimeWindow": {"Mode": "OFF"},
        "State": "ENABLED",
        "Target": {
            "Arn": context.place.arn("pipeline", pipeline),
            "RoleArn": context.place.role,
            "SageMakerPipelineParameters": {"PipelineParameterList": []},
        },
    }
    if isinstance(schedule, spec.Cron):
        found["ScheduleExpressionTimezone"] = schedule.timezone
    return found


def _expression(context: Context, schedule: spec.Schedule, where: str) -> str:
    if isinstance(schedule, spec.Every):
        seconds = schedule.interval
        size, unit = next(((size, unit) for size, unit in _UNITS if seconds % size == 0), (60, "minute"))
        if seconds % size:
            _refuse(
                context, where, f"an interval of {seconds:g} s is no whole number of minutes", "round it to minutes"
            )
        count = max(1, int(seconds // size))
        return f"rate({count} {unit}{'s' if count != 1 else ''})"
    minute, hour, day, month, weekday = schedule.expression.split()
    if day != "*" and weekday != "*":
        message = f"{schedule.expression!r} names days of the month and of the week, and Scheduler takes one of them"
        _refuse(context, where, message, "leave one of them at *")
    weekdays = "?" if weekday == "*" else ",".join(_days(weekday))
    days = "?" if weekday != "*" else _numbers(day, 1)
    return f"cron({_numbers(minute, 0)} {_numbers(hour, 0)} {days} {_numbers(month, 1)} {weekdays} *)"


def _refuse(context: Context, where: str, message: str, hint: str) -> None:
    context.findings.append(Diagnostic("CML341", where, message, hint))


def _numbers(text: str, low: int) -> str:
    """A field whose numbers mean the same in both; steps begin at the field's lowest number."""
    return ",".join(_part(part.upper(), low) for part in text.split(","))


def _part(part: str, low: int) -> str:
    first, _, step = part.partition("/")
    if not step:
        return part
    if "-" in first:
        begin, end = (int(one) if one.isdecimal() else _MONTHS.index(one) + 1 for one in first.split("-"))
        return ",".join(str(number) for number in range(begin, end + 1, int(step)))
    return f"{low if first == '*' else first}/{step}"


def _days(text: str) -> list[str]:
    """Days of the week by name, Sunday first; 0 and 7 are both Sunday."""
    found: set[int] = set()
    for part in text.split(","):
        first, _, step = part.partition("/")
        begin, _, end = first.partition("-")
        if begin == "*":
            low, high = 0, 6
        else:
            low = _day(begin)
            high = _day(end) if end else (6 if step else low)
        found.update(number % 7 for number in range(low, high + 1, int(step or 1)))
    return [_DAYS[number] for number in sorted(found)]


def _day(text: str) -> int:
    return int(text) if text.isdecimal() else _DAYS.index(text.upper())
