"""What the role of the pipeline and its jobs may do: run the pipeline's steps, and call what cloudml's own steps call.

SageMaker takes the role for the pipeline (it starts the jobs) and for each job (its container's credentials); a
schedule takes it to start the pipeline. Sources: the developer guide, "SageMaker execution roles" (what CreateXJob
needs of a role) and "Pipelines: IAM access management"; the calls are those of `container/control` and `hosting`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import chain
from typing import Any

from cloudml_sagemaker.policies.needs import Needs
from cloudml_sagemaker.policies.scope import Repository, Scope
from cloudml_sagemaker.policies.statements import VERSION, Statement, actions, at_birth, passed_to, tagged

OWN_IMAGES = "763104351884"
"""AWS's account of the deep learning containers, where the default images lie (see `target`)."""


def trust(scope: Scope, needs: Needs) -> dict[str, Any]:
    """Who may take the role: SageMaker, and Scheduler when a schedule starts the pipeline, for this account only."""
    services = ["sagemaker.amazonaws.com"]
    if needs.has("kind:schedule"):
        services.append("scheduler.amazonaws.com")
    return {
        "Version": VERSION,
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"Service": services},
                "Action": "sts:AssumeRole",
                "Condition": {"StringEquals": {"aws:SourceAccount": scope.account}},
            }
        ],
    }


def role(scope: Scope, needs: Needs) -> list[Statement]:
    """The statements, of what the needs name only."""
    return list(chain.from_iterable(part(scope, needs) for part in _PARTS))


def _jobs(scope: Scope, needs: Needs) -> Iterator[Statement]:
    sagemaker: list[str] = []
    arns: list[str] = []
    for step, (kind, noun, name) in _STEPS.items():
        if needs.has(f"step:{step}"):
            sagemaker += [f"Create{noun}", f"Describe{noun}", f"Stop{noun}"]
            arns.append(scope.sagemaker(kind, name))
    if sagemaker:
        why = "the pipeline starts its jobs; Pipelines names them itself, tuning jobs without a common beginning"
        yield Statement("Jobs", actions("sagemaker", " ".join([*sagemaker, "AddTags"])), tuple(arns), why)
        why = "a job is given the role that it runs as"
        yield Statement("GiveRoleToJobs", ("iam:PassRole",), (scope.role,), why, passed_to("sagemaker"))
    if needs.has("step:Tuning"):
        why = "the best trial is looked up; trials are named after their tuning job"
        names = "ListTrainingJobsForHyperParameterTuningJob DescribeTrainingJob"
        arns = [scope.sagemaker("hyper-parameter-tuning-job", "*"), scope.sagemaker("training-job", "*")]
        yield Statement("Trials", actions("sagemaker", names), tuple(arns), why)


_STEPS = {
    "Processing": ("processing-job", "ProcessingJob", "pipelines-*"),
    "Training": ("training-job", "TrainingJob", "pipelines-*"),
    "Tuning": ("hyper-parameter-tuning-job", "HyperParameterTuningJob", "*"),
}
"""Type of a pipeline's step: kind in ARNs, noun in operations, how Pipelines names them."""


def _pipelines(scope: Scope, needs: Needs) -> Iterator[Statement]:
    if needs.has("kind:schedule", "retrain"):
        why = "a schedule, or a monitor that retrains, starts the pipeline"
        yield Statement(
            "StartRuns",
            actions("sagemaker", "StartPipelineExecution ListPipelineExecutions"),
            (scope.sagemaker("pipeline"),),
            why,
        )
    if needs.has("step:Callback"):
        why = "a question to a person is a message in the queue of approvals"
        yield Statement("AskPeople", ("sqs:SendMessage",), (scope.arn("sqs", scope.stem),), why)
    if needs.has("action:notify", "action:watch", "kind:topic"):
        yield Statement("Tell", ("sns:Publish",), (scope.arn("sns", scope.stem),), "messages of alerts")


def _data(scope: Scope, needs: Needs) -> Iterator[Statement]:
    yield Statement(
        "Objects",
        actions("s3", "GetObject PutObject AbortMultipartUpload"),
        scope.objects(),
        "code, data and models below the target's prefix",
    )
    yield Statement("Folders", ("s3:ListBucket",), (scope.bucket_arn,), "to find them", below(scope))
    yield Statement("Bucket", ("s3:GetBucketLocation",), (scope.bucket_arn,), "SageMaker asks where the bucket lies")
    if needs.has("checkpoints"):
        folder = scope.objects("runs")
        yield Statement("Checkpoints", ("s3:DeleteObject",), folder, "old checkpoints are removed as new ones come")
    if needs.data:
        arns = tuple(
            f"arn:{scope.partition}:s3:::{uri.removeprefix('s3://').rstrip('/')}" for uri in sorted(needs.data)
        )
        objects = tuple(one for arn in arns for one in (arn, f"{arn}/*"))
        yield Statement("InputObjects", ("s3:GetObject",), objects, "inputs that lie outside of the prefix")
        buckets = tuple(dict.fromkeys(arn.partition("/")[0] for arn in arns))
        yield Statement("InputBuckets", actions("s3", "ListBucket GetBucketLocation"), buckets, "to find them")


def below(scope: Scope) -> dict[str, Any]:
    """The condition of a listing: only of the target's prefix.

    `IfExists`, because S3 also asks for ListBucket, without a prefix, before it says that an object is not there
    ("NoSuchKey" instead of "AccessDenied": S3 API reference, GetObject).
    """
    return {"StringLikeIfExists": {"s3:prefix": [scope.prefix, f"{scope.prefix}/*"]}}


def _container(scope: Scope, needs: Needs) -> Iterator[Statement]:
    groups = scope.arn("logs", "log-group:/aws/sagemaker/*")
    names = "CreateLogGroup CreateLogStream DescribeLogStreams PutLogEvents"
    yield Statement("Logs", actions("logs", names), (groups,), "what a job writes to its log")
    space = {"StringLike": {"cloudwatch:namespace": ["/aws/sagemaker/*", "aws/sagemaker/*", "cloudml/*"]}}
    why = "metrics of jobs and monitors; CloudWatch has no ARNs for metrics, only the condition on the namespace"
    yield Statement("Metrics", ("cloudwatch:PutMetricData",), ("*",), why, space)
    repositories = _repositories(scope, needs)
    if repositories:
        names = "BatchCheckLayerAvailability BatchGetImage GetDownloadUrlForLayer"
        yield Statement("Images", actions("ecr", names), repositories, "the images of jobs and endpoints")
        why = "the token is for a registry, not for a repository: AWS takes * only"
        yield Statement("ImagesToken", ("ecr:GetAuthorizationToken",), ("*",), why)


def _repositories(scope: Scope, needs: Needs) -> tuple[str, ...]:
    """The repositories of the images that are used; AWS's own and the target's when that is not known."""
    named = [Repository.of(image) for image in sorted({*needs.images, *scope.images})]
    found = [scope.arn("ecr", f"repository/{one.name}", region=one.region, account=one.account) for one in named if one]
    if needs.any:
        found += [
            scope.arn("ecr", "repository/*", account=OWN_IMAGES),
            scope.arn("ecr", f"repository/{scope.stem}"),
        ]
    return tuple(dict.fromkeys(found))


def _place(scope: Scope, needs: Needs) -> Iterator[Statement]:
    if scope.kms:
        names = "Decrypt DescribeKey Encrypt GenerateDataKey GenerateDataKeyWithoutPlaintext ReEncryptFrom ReEncryptTo"
        why = "volumes and outputs are encrypted with it"
        yield Statement("Key", actions("kms", names), (scope.key_arn,), why, scope.key_condition)
        grants = {"Bool": {"kms:GrantIsForAWSResource": "true"}, **scope.key_condition}
        why = "SageMaker hands the key on to the volumes of its machines"
        yield Statement("KeyForMachines", ("kms:CreateGrant",), (scope.key_arn,), why, grants)
    if scope.subnets:
        yield from _network(scope)
    if needs.has("secrets"):
        arns = [
            scope.arn("secretsmanager", f"secret:{secret_name(scope.project, one)}-??????") for one in needs.secrets
        ]
        arns = sorted(arns) or [scope.arn("secretsmanager", f"secret:{secret_name(scope.project, '*')}")]
        why = "the steps' secrets; Secrets Manager adds six characters to a name"
        yield Statement("Secrets", ("secretsmanager:GetSecretValue",), tuple(arns), why)


def _network(scope: Scope) -> Iterator[Statement]:
    ways = scope.arn("ec2", "network-interface/*")
    named = [("subnet", one) for one in scope.subnets] + [("security-group", one) for one in scope.security_groups]
    inside = [scope.arn("ec2", f"{kind}/{name}") for kind, name in named]
    why = "machines in the target's subnets get interfaces there"
    yield Statement("Network", ("ec2:CreateNetworkInterface",), (ways, *inside), why)
    names = "CreateNetworkInterfacePermission DeleteNetworkInterface DeleteNetworkInterfacePermission"
    yield Statement("NetworkEnds", actions("ec2", names), (ways,), why)
    names = "DescribeDhcpOptions DescribeNetworkInterfaces DescribeSecurityGroups DescribeSubnets DescribeVpcs"
    yield Statement("NetworkSeen", actions("ec2", names), ("*",), "EC2 takes * only for what is described")


def secret_name(project: str, name: str) -> str:
    """How a project's secret is named in Secrets Manager (see `container.secret_values`)."""
    return f"cloudml/{project}/{name}"


def _registry(scope: Scope, needs: Needs) -> Iterator[Statement]:
    groups, versions = scope.sagemaker("model-package-group"), scope.sagemaker("model-package", f"{scope.stem}/*")
    if needs.has("action:register", "action:deploy", "action:verify", "champion"):
        names = "DescribeModelPackage DescribeModelPackageGroup ListTags"
        yield Statement("Models", actions("sagemaker", names), (groups, versions), "versions, and who bears an alias")
        why = "AWS lists versions of a group with * only"
        yield Statement("ModelsList", ("sagemaker:ListModelPackages",), ("*",), why)
    if needs.has("action:register"):
        why = "a register step adds a version"
        yield Statement("AddVersions", ("sagemaker:CreateModelPackage",), (groups, versions), why)
    if needs.has("action:deploy"):
        why = "an alias is a tag of the group"
        yield Statement("MoveAliases", ("sagemaker:AddTags",), (groups,), why, tagged(scope.tags))


def _endpoints(scope: Scope, needs: Needs) -> Iterator[Statement]:
    own = tuple(map(scope.sagemaker, ("endpoint", "endpoint-config", "model")))
    if needs.has("action:deploy", "rollback"):
        yield from serving(scope, needs, "a deploy step", own)
        why = "SageMaker gives the role to the containers of an endpoint"
        if not needs.has(*(f"step:{step}" for step in _STEPS)):
            yield Statement("GiveRoleToEndpoints", ("iam:PassRole",), (scope.role,), why, passed_to("sagemaker"))
    if needs.has("action:verify"):
        yield Statement("Invoke", ("sagemaker:InvokeEndpoint",), own[:1], "a verify step calls the endpoint")
        if not needs.has("action:deploy", "rollback"):
            yield Statement("Verify", ("sagemaker:DescribeEndpoint",), own[:1], "a verify step looks what serves")
    if needs.has("action:monitor", "action:watch"):
        why = "a monitor looks which version serves, and reads the endpoint's metrics; CloudWatch has no ARNs for them"
        names = "DescribeEndpoint DescribeEndpointConfig DescribeModel ListTags"
        yield Statement("Watched", actions("sagemaker", names), own, why)
        yield Statement("ReadMetrics", ("cloudwatch:GetMetricStatistics",), ("*",), why)
    if needs.has("kind:monitor"):
        yield from _native(scope)


def serving(scope: Scope, needs: Needs, who: str, own: tuple[str, ...]) -> Iterator[Statement]:
    """To bring a version into service: the calls of `hosting`, for a job and for a person alike."""
    names = "DescribeEndpoint DescribeEndpointConfig DescribeModel ListTags"
    yield Statement("Served", actions("sagemaker", names), own, f"{who} looks at what serves")
    names = "CreateModel CreateEndpointConfig CreateEndpoint"
    given = tagged(scope.tags, "RequestTag")
    yield Statement("Serve", actions("sagemaker", names), own, f"{who} makes them, with the target's tags", given)
    names = "AddTags UpdateEndpoint DeleteEndpoint"
    why = f"{who} changes only what bears the target's tags; AddTags is also asked for when a thing is made"
    yield Statement("ChangeServed", actions("sagemaker", names), own, why, tagged(scope.tags))
    yield Statement("TagServed", ("sagemaker:AddTags",), own, why, at_birth(scope.tags))
    names = "DescribeAlarms DescribeAlarmHistory"
    yield Statement(
        "Alarms", actions("cloudwatch", names), (scope.arn("cloudwatch", f"alarm:{scope.stem}"),), "guards of a rollout"
    )
    names = "DescribeScalableTargets DescribeScalingPolicies"
    why = "whether an endpoint is scaled; AWS takes * only for these"
    yield Statement("ScalingSeen", actions("application-autoscaling", names), ("*",), why)
    if needs.has("scaling"):
        names = "DeregisterScalableTarget PutScalingPolicy RegisterScalableTarget"
        only = {"StringEquals": {"application-autoscaling:service-namespace": "sagemaker"}}
        targets = scope.arn("application-autoscaling", "scalable-target/*")
        why = "scaling of endpoints; AWS names the targets itself"
        yield Statement("Scaling", actions("application-autoscaling", names), (targets,), why, only)
        linked = "aws-service-role/sagemaker.application-autoscaling.amazonaws.com/*"
        service = {"StringLike": {"iam:AWSServiceName": "sagemaker.application-autoscaling.amazonaws.com"}}
        why = "the first scaled endpoint of an account makes AWS's own role for scaling"
        arn = scope.arn("iam", f"role/{linked}", region="")
        yield Statement("ScalingRole", ("iam:CreateServiceLinkedRole",), (arn,), why, service)
        names = "DeleteAlarms DescribeAlarms PutMetricAlarm"
        arn = scope.arn("cloudwatch", "alarm:TargetTracking-*")
        yield Statement(
            "ScalingAlarms", actions("cloudwatch", names), (arn,), "target tracking makes alarms of its own"
        )


def _native(scope: Scope) -> Iterator[Statement]:
    kinds = ("monitoring-schedule", "data-quality-job-definition")
    own = tuple(map(scope.sagemaker, kinds))
    nouns = ("MonitoringSchedule", "DataQualityJobDefinition")
    names = [f"{verb}{noun}" for noun in nouns for verb in ("Create", "Delete", "Describe")]
    names += ["UpdateMonitoringSchedule", "StopMonitoringSchedule", "AddTags", "ListTags"]
    why = "a monitor step makes SageMaker's own schedules for its endpoint"
    yield Statement("NativeMonitors", actions("sagemaker", " ".join(names)), own, why)


_PARTS: tuple[Callable[[Scope, Needs], Iterator[Statement]], ...] = (
    _jobs, _pipelines, _data, _container, _place, _registry, _endpoints,
)  # fmt: skip
