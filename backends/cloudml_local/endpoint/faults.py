"""The endpoint's errors, one function a code, so that code, words and remedy are in one place."""

from __future__ import annotations

from collections.abc import Iterable

from cloudml.errors import NotFound, Refused, StateError


def bad_name(name: str) -> Refused:
    """CML520: a name that is no endpoint's."""
    return Refused(
        f"{name[:80]!r} cannot be the name of an endpoint",
        hint="use a letter, then at most 62 letters, digits, '_' or '-'",
        code="CML520",
    )


def unknown(name: str, known: Iterable[str]) -> NotFound:
    """CML521: no such endpoint."""
    names = ", ".join(known)
    return NotFound(
        f"there is no endpoint {name!r}",
        hint=f"there is: {names}" if names else "nothing was deployed yet",
        code="CML521",
    )


def not_ready(name: str, reason: str, *, blue_serves: bool) -> StateError:
    """CML522: the new model server did not become ready."""
    after = "the version in service stays" if blue_serves else "the endpoint serves nothing"
    return StateError(
        f"the new version of endpoint {name!r} cannot serve; {after}: {reason}",
        where=f"endpoint {name}",
        hint="make the predictor answer the sample rows, then deploy again",
        code="CML522",
    )


def busy(name: str, seconds: float) -> Refused:
    """CML523: another command holds the endpoint."""
    return Refused(
        f"another command has been changing endpoint {name!r} for {seconds:g} seconds",
        hint="wait for it to end, then try again",
        code="CML523",
    )


def router_failed(name: str, reason: str) -> StateError:
    """CML524: the router did not start, does not answer, or died."""
    return StateError(
        f"the router of endpoint {name!r} {reason}",
        where=f"endpoint {name}",
        hint="deploy again: what is left of the old router is ended first",
        code="CML524",
    )


def serves_another(name: str, wanted: str, found: str) -> StateError:
    """CML525: after the switch the endpoint itself says something else."""
    return StateError(
        f"endpoint {name!r} should serve {wanted} but answers as {found}",
        where=f"endpoint {name}",
        hint="deploy again",
        code="CML525",
    )


def not_running(name: str, status: str) -> Refused:
    """CML526: a call to an endpoint that serves nothing."""
    return Refused(
        f"endpoint {name!r} is {status}: nothing answers there", hint="deploy to it, or start it again", code="CML526"
    )


def damaged_record(name: str, path: str, reason: str) -> StateError:
    """CML527: the record cannot be read."""
    return StateError(
        f"the record of endpoint {name!r} cannot be read: {reason}",
        where=path,
        hint="delete the endpoint and deploy again",
        code="CML527",
    )


def unusable_state(path: str, reason: str) -> StateError:
    """CML528: the endpoint's folder, lock or socket cannot be used."""
    return StateError(
        f"the endpoint's state cannot be used: {reason}",
        where=path,
        hint="make the folder writable by you, or choose another one",
        code="CML528",
    )


def nothing_to_start(name: str) -> Refused:
    """CML529: start without anything ever served."""
    return Refused(f"endpoint {name!r} never served a version", hint="deploy to it", code="CML529")


def nothing_before(name: str) -> Refused:
    """CML529: a rollback of an endpoint that has served one version only."""
    return Refused(
        f"endpoint {name!r} served nothing before what it serves now",
        hint="deploy another version to it",
        code="CML529",
    )
