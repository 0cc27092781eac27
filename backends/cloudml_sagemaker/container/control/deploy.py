"""Deploy: a version into service on its endpoint, and the alias only when it is known to answer."""

from __future__ import annotations

import sys

from cloudml.jobs.context import Context, Document
from cloudml.jobs.control import Made
from cloudml.jobs.failure import Refused
from cloudml_sagemaker.container.control import models
from cloudml_sagemaker.container.control.aws import Asking, client
from cloudml_sagemaker.hosting import Failed, content
from cloudml_sagemaker.hosting.bring import Wish, bring
from cloudml_sagemaker.hosting.watch import Patience

TIME = 1800.0
"""Seconds that a deploy is waited for when nothing says how long."""


def deploy(action: Document, context: Context) -> Made:
    """Bring the version into service; when the endpoint serves it already there is nothing to do but to say so.

    Raises Refused: it is not approved, the endpoint did not take it, or went back to what it served before.
    """
    package = models.find(context.values.json(action["version"]))
    label = f"{package.model}/{package.version}"
    if package.approval != "approved":
        raise Refused(
            f"{label} is {package.approval}; only an approved version is deployed. "
            f"Run: cloudml approve {label} --reason …, then run the pipeline again"
        )
    endpoint = action["endpoint"]
    try:
        found, config = _bring(action, package, context)
    except Failed as error:
        raise Refused(str(error)) from error
    if action.get("alias"):
        reason = f"deployed to {endpoint['name']} by {context.run}"
        models.promote(package, action["alias"], "cloudml", reason, action.get("kms"))
    sys.stdout.write(f"cloudml: {endpoint['name']} serves {label}\n")
    return {"endpoint": {
        "name": endpoint["name"],
        "url": f"{client('sagemaker-runtime').meta.endpoint_url}/endpoints/{endpoint['EndpointName']}/invocations",
        "deployment": config, **package.reference(),
        "EndpointName": endpoint["EndpointName"], "arn": found["EndpointArn"],
    }}  # fmt: skip


def _bring(action: Document, package: models.Package, context: Context) -> tuple[Document, str]:
    """The endpoint in service, and its configuration's name. Raises Failed."""
    aws, endpoint = Asking(), action["endpoint"]
    served = content.Served.of(package.document, package.model, package.group)
    config = content.make(aws, endpoint, served)
    run = context.values.json(action["run"]) if "run" in action else context.run
    wish = Wish(endpoint, config, f"run {run}", f"deploy of {served.model}/{served.version}")
    return bring(aws, wish, Patience(action.get("timeout") or TIME, say=_say)), config


def _say(news: str) -> None:
    sys.stdout.write(f"cloudml: {news}\n")
    sys.stdout.flush()
