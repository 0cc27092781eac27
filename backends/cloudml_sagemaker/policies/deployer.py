"""What the person (or the CI) that plans, applies, runs, observes and destroys may do; with `doctor` and `build` apart.

Reading is bound to names; what changes or removes things to names and, where IAM can, to the target's tags. What has
`*` has no narrower resource in the service authorization reference: lists, and services without ARNs for it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import chain

from cloudml_sagemaker.policies.needs import Needs
from cloudml_sagemaker.policies.role import below, secret_name, serving
from cloudml_sagemaker.policies.scope import Scope
from cloudml_sagemaker.policies.statements import Statement, actions, at_birth, passed_to, tagged


def deployer(scope: Scope, needs: Needs) -> list[Statement]:
    """To plan, apply, run, observe, decide and destroy."""
    return list(chain.from_iterable(part(scope, needs) for part in _PARTS))


def _bucket(scope: Scope, needs: Needs) -> Iterator[Statement]:
    names = "GetObject PutObject DeleteObject DeleteObjectVersion AbortMultipartUpload"
    yield Statement("Objects", actions("s3", names), scope.objects(), "code, state, results; destroy removes them")
    if scope.marks:
        why = "apply refuses a prefix inside another target's"
        yield Statement("Owners", ("s3:GetObject",), scope.marks, why)
    names = "ListBucket ListBucketVersions"
    yield Statement("Folders", actions("s3", names), (scope.bucket_arn,), "to find them", below(scope))
    names = "GetBucketLocation GetBucketVersioning"
    yield Statement("Bucket", actions("s3", names), (scope.bucket_arn,), "what destroy must know of the bucket")
    if scope.kms:
        names = "Decrypt DescribeKey GenerateDataKey"
        yield Statement("Key", actions("kms", names), (scope.key_arn,), "objects are encrypted", scope.key_condition)


def _pipelines(scope: Scope, needs: Needs) -> Iterator[Statement]:
    own, runs = scope.sagemaker("pipeline"), scope.sagemaker("pipeline", f"{scope.stem}/execution/*")
    yield Statement(
        "MakePipelines",
        actions("sagemaker", "CreatePipeline"),
        (own,),
        "apply makes them with the target's tags",
        tagged(scope.tags, "RequestTag"),
    )
    names = "UpdatePipeline DeletePipeline StartPipelineExecution"
    yield Statement(
        "ChangePipelines", actions("sagemaker", names), (own,), "only what bears the target's tags", tagged(scope.tags)
    )
    names = "DescribePipeline ListPipelineExecutions"
    yield Statement("ReadPipelines", actions("sagemaker", names), (own,), "plan, status")
    names = (
        "DescribePipelineExecution DescribePipelineDefinitionForExecution ListPipelineExecutionSteps "
        "ListPipelineParametersForExecution RetryPipelineExecution StopPipelineExecution "
        "SendPipelineExecutionStepSuccess SendPipelineExecutionStepFailure"
    )
    yield Statement("Runs", actions("sagemaker", names), (own, runs), "runs of them; executions bear no tags")
    services = ["sagemaker", *(["scheduler"] if needs.has("kind:schedule") else [])]
    why = "pipelines and schedules are given the role that they run as"
    yield Statement("GiveRole", ("iam:PassRole",), (scope.role,), why, passed_to(*services))


def _tags(scope: Scope, needs: Needs) -> Iterator[Statement]:
    kinds = ["pipeline"]
    if needs.has("kind:model_group"):
        kinds.append("model-package-group")
    own = tuple(map(scope.sagemaker, kinds))
    why = "tags of a new thing are asked for as AddTags with that request's tags"
    yield Statement("TagNew", ("sagemaker:AddTags",), own, why, at_birth(scope.tags))
    why = "tags, aliases among them, are changed on what bears the target's"
    yield Statement("TagOwn", actions("sagemaker", "AddTags DeleteTags"), own, why, tagged(scope.tags))


def _jobs(scope: Scope, needs: Needs) -> Iterator[Statement]:
    found = [
        (f"Describe{noun}", scope.sagemaker(kind, name))
        for step, kind, noun, name in (
            ("Processing", "processing-job", "ProcessingJob", "pipelines-*"),
            ("Training", "training-job", "TrainingJob", "pipelines-*"),
            ("Tuning", "hyper-parameter-tuning-job", "HyperParameterTuningJob", "*"),
            ("Tuning", "training-job", "TrainingJob", "*"),
        )
        if needs.has(f"step:{step}")
    ]
    if needs.has("step:Tuning"):
        found.append(("ListTrainingJobsForHyperParameterTuningJob", scope.sagemaker("hyper-parameter-tuning-job", "*")))
    if found:
        names = " ".join(dict.fromkeys(name for name, _ in found))
        arns = tuple(arn for _, arn in found)
        yield Statement("ReadJobs", actions("sagemaker", names), arns, "status, why; Pipelines names jobs itself")
    groups = scope.arn("logs", "log-group:/aws/sagemaker/*")
    yield Statement(
        "ReadLogs",
        actions("logs", "DescribeLogStreams FilterLogEvents GetLogEvents"),
        (groups,),
        "what jobs and endpoints wrote",
    )
    yield Statement("FindLogs", ("logs:DescribeLogGroups",), ("*",), "AWS takes * only for lists")


def _finding(scope: Scope, needs: Needs) -> Iterator[Statement]:
    """Destroy looks for every kind of thing by its tags, also for those that no pipeline declares any more."""
    names = (
        "ListDataQualityJobDefinitions ListEndpointConfigs ListEndpoints ListModelPackageGroups ListModelPackages "
        "ListModels ListMonitoringSchedules ListPipelines ListProcessingJobs ListTrainingJobs"
    )
    why = "AWS takes * only for lists"
    yield Statement("Lists", actions("sagemaker", names), ("*",), why)
    others = (
        *actions("sqs", "ListQueues"),
        *actions("scheduler", "ListScheduleGroups ListSchedules"),
        *actions("sns", "ListTopics"),
    )
    yield Statement("OtherLists", others, ("*",), why)
    why = "tags are read of whatever has a name like ours, to leave alone what is not"
    yield Statement("Tags", ("sagemaker:ListTags",), (scope.arn("sagemaker", "*"),), why)
    others = (
        *actions("sqs", "GetQueueUrl ListQueueTags"),
        *actions("scheduler", "GetScheduleGroup ListTagsForResource"),
        *actions("sns", "ListTagsForResource"),
        *actions("cloudwatch", "DescribeAlarms ListTagsForResource"),
    )
    arns = (
        scope.arn("sqs", "*"),
        scope.arn("scheduler", "schedule-group/*"),
        scope.arn("sns", "*"),
        scope.arn("cloudwatch", "alarm:*"),
    )
    yield Statement("OtherTags", others, arns, why)
    names = "DeleteRepository DescribeRepositories ListTagsForResource"
    own = (scope.arn("ecr", f"repository/{scope.stem}"),)
    yield Statement("Repository", actions("ecr", names), own, "the repository of images that `cloudml build` made")


def _models(scope: Scope, needs: Needs) -> Iterator[Statement]:
    if not needs.has("kind:model_group"):
        return
    groups, versions = scope.sagemaker("model-package-group"), scope.sagemaker("model-package", f"{scope.stem}/*")
    why = "apply makes the groups of registered models"
    given = tagged(scope.tags, "RequestTag")
    yield Statement("MakeGroups", ("sagemaker:CreateModelPackageGroup",), (groups,), why, given)
    names = "DescribeModelPackageGroup DescribeModelPackage CreateModelPackage UpdateModelPackage"
    why = "show, approve, promote, adopt; versions bear no tags"
    yield Statement("Models", actions("sagemaker", names), (groups, versions), why)
    yield Statement("RemoveVersions", ("sagemaker:DeleteModelPackage",), (versions,), "destroy; versions bear no tags")
    yield Statement("RemoveGroups", ("sagemaker:DeleteModelPackageGroup",), (groups,), "destroy", tagged(scope.tags))


def _endpoints(scope: Scope, needs: Needs) -> Iterator[Statement]:
    if not needs.has("action:deploy", "kind:endpoint"):
        return
    own = tuple(map(scope.sagemaker, ("endpoint", "endpoint-config", "model")))
    yield from serving(scope, needs, "apply, rollback, start, stop or destroy", own)
    yield Statement(
        "RemoveServed",
        actions("sagemaker", "DeleteEndpointConfig DeleteModel DeleteTags"),
        own,
        "destroy removes what bears the target's tags",
        tagged(scope.tags),
    )
    yield Statement("Invoke", ("sagemaker:InvokeEndpoint",), own[:1], "cloudml invoke")
    if needs.has("kind:alarm"):
        names = "PutMetricAlarm DeleteAlarms TagResource UntagResource"
        arn = scope.arn("cloudwatch", f"alarm:{scope.stem}")
        yield Statement("ManageAlarms", actions("cloudwatch", names), (arn,), "guards of a rollout")


def _around(scope: Scope, needs: Needs) -> Iterator[Statement]:
    if needs.has("kind:queue"):
        names = "CreateQueue DeleteQueue GetQueueAttributes SetQueueAttributes TagQueue UntagQueue"
        yield Statement("Approvals", actions("sqs", names), (scope.arn("sqs", scope.stem),), "the queue of approvals")
    if needs.has("kind:schedule", "kind:schedule_group"):
        names = "CreateSchedule DeleteSchedule GetSchedule UpdateSchedule"
        own = scope.arn("scheduler", f"schedule/{scope.group}/*")
        yield Statement("Schedules", actions("scheduler", names), (own,), "schedules lie in the target's group")
        names = "CreateScheduleGroup DeleteScheduleGroup TagResource UntagResource"
        group = scope.arn("scheduler", f"schedule-group/{scope.group}")
        yield Statement("ScheduleGroup", actions("scheduler", names), (group, own), "the group bears the tags")
    if needs.has("kind:topic"):
        names = (
            "CreateTopic DeleteTopic GetTopicAttributes ListSubscriptionsByTopic Subscribe TagResource UntagResource"
        )
        yield Statement("Topics", actions("sns", names), (scope.arn("sns", scope.stem),), "topics of alerts")
        why = "AWS names subscriptions itself, and takes * only"
        yield Statement("Unsubscribe", ("sns:Unsubscribe",), ("*",), why)


def _monitors(scope: Scope, needs: Needs) -> Iterator[Statement]:
    if not needs.has("kind:monitor"):
        return
    kinds = {"monitoring-schedule": "MonitoringSchedule", "data-quality-job-definition": "DataQualityJobDefinition"}
    own = tuple(map(scope.sagemaker, kinds))
    read = [f"Describe{noun}" for noun in kinds.values()]
    yield Statement("ReadMonitors", actions("sagemaker", " ".join(read)), own, "plan")
    change = [f"Delete{noun}" for noun in kinds.values()]
    change += ["UpdateMonitoringSchedule", "StopMonitoringSchedule", "AddTags", "DeleteTags"]
    why = "apply changes what a run made, destroy removes it"
    yield Statement("ChangeMonitors", actions("sagemaker", " ".join(change)), own, why, tagged(scope.tags))
    why = "a job definition cannot be changed: another one is made"
    given = tagged(scope.tags, "RequestTag")
    names = "CreateDataQualityJobDefinition CreateMonitoringSchedule"
    yield Statement("MakeMonitors", actions("sagemaker", names), own, why, given)


_PARTS: tuple[Callable[[Scope, Needs], Iterator[Statement]], ...] = (
    _bucket, _pipelines, _tags, _jobs, _finding, _models, _endpoints, _around, _monitors,
)  # fmt: skip


def doctor(scope: Scope, needs: Needs) -> list[Statement]:
    """What `cloudml doctor` looks at beyond a deployer's reading. Without it the findings are `unknown`."""
    found = [
        Statement(
            "LookAtBucket",
            actions(
                "s3", "GetBucketLocation GetBucketPublicAccessBlock GetBucketVersioning GetEncryptionConfiguration"
            ),
            (scope.bucket_arn,),
            "is the bucket there, encrypted, closed",
        ),
        Statement("LookAtMark", ("s3:GetObject",), scope.objects(), "whose the prefix is"),
        Statement("LookAtRole", ("iam:GetRole",), (scope.role,), "does the role trust SageMaker"),
        Statement(
            "Simulate",
            ("iam:SimulatePrincipalPolicy",),
            (scope.arn("iam", "user/*", region=""), scope.arn("iam", "role/*", region="")),
            "may the role and the caller do what the project needs",
        ),
        Statement("Quotas", ("servicequotas:ListServiceQuotas",), ("*",), "are machines allowed; AWS takes * only"),
        Statement(
            "LookAtImages",
            actions("ecr", "BatchGetImage DescribeImages"),
            (scope.arn("ecr", "repository/*"),),
            "are the images there",
        ),
    ]
    if needs.has("secrets"):
        arn = scope.arn("secretsmanager", f"secret:{secret_name(scope.project, '*')}")
        found.append(Statement("LookAtSecrets", ("secretsmanager:DescribeSecret",), (arn,), "never their values"))
    if scope.kms:
        found.append(
            Statement("LookAtKey", ("kms:DescribeKey",), (scope.key_arn,), "is the key enabled", scope.key_condition)
        )
    if scope.subnets:
        why = "are subnets and groups there; EC2 takes * only"
        found.append(Statement("LookAtNetwork", actions("ec2", "DescribeSecurityGroups DescribeSubnets"), ("*",), why))
    return found


def builder(scope: Scope) -> list[Statement]:
    """What `cloudml build --push` needs of ECR."""
    own = (scope.arn("ecr", f"repository/{scope.stem}"),)
    names = (
        "BatchCheckLayerAvailability BatchGetImage CompleteLayerUpload CreateRepository DescribeImages "
        "DescribeRepositories GetDownloadUrlForLayer InitiateLayerUpload ListTagsForResource PutImage TagResource "
        "UploadLayerPart"
    )
    why = "the repository of the target's images"
    token = "the token is for a registry: AWS takes * only"  # noqa: S105 - words, no secret
    return [
        Statement("Repository", actions("ecr", names), own, why),
        Statement("Token", ("ecr:GetAuthorizationToken",), ("*",), token),
        Statement(
            "BaseImage",
            actions("ecr", "BatchCheckLayerAvailability BatchGetImage GetDownloadUrlForLayer"),
            (scope.arn("ecr", "repository/*", account="*"),),
            "AWS's images that it starts from lie in AWS's accounts",
        ),
    ]
