"""Where AWS does not publish what happens: named switches. The first choice is the default; the docs list them all."""

from __future__ import annotations

from cloudml.mocks.switches import Switch

SWITCHES: tuple[Switch, ...] = (
    Switch(
        "unknown-members",
        ("refuse", "ignore"),
        "A member that the service model does not know: refused, so that a misspelling shows, or left out.",
        "AWS's JSON services are seen to ignore unknown members; its clients refuse them before sending.",
    ),
    Switch(
        "branches-after-failure",
        ("hold", "start"),
        "After a step failed, steps that do not depend on it: not started any more (running ones end), or started.",
        "The developer guide says only that the execution ends as Failed.",
    ),
    Switch(
        "prefix-inside-name",
        ("from-slash", "rest"),
        "An S3Prefix that ends inside a name (`s3://b/data/train` for `data/train-1.csv`): the file is named from the "
        "prefix's last slash on (`train-1.csv`), or by the rest (`-1.csv`).",
        "AWS says only that all keys with the prefix are used; the SDK's local mode takes the rest.",
    ),
    Switch(
        "tuning-time-limit",
        ("complete", "stop"),
        "A tuning job that reaches MaxRuntimeInSeconds ends as Completed with what it has, or as Stopped.",
        "The API reference calls it the longest time that the job can run, and says no status.",
    ),
    Switch(
        "hyperband-max-resource",
        ("exceeds", "reaches"),
        "A trial of a Hyperband job is stopped when it reports its objective more than MaxResource times, so that a "
        "program which ends there by itself can still save its model, or as soon as it has reported it so often.",
        "The API reference: once a job reaches MaxResource it is stopped; on AWS metrics arrive a minute late.",
    ),
    Switch(
        "filter-slice-end",
        ("exclusive", "inclusive"),
        "Whether the slice $[1:4] of a batch transform's filters leaves out element 4, or takes it.",
        "The developer guide calls it an array slice, refers to JsonPath, and in an example says: inclusive.",
    ),
    Switch(
        "processing-timeout",
        ("stopped", "failed"),
        "A processing job that reaches MaxRuntimeInSeconds: ends as Stopped, or as Failed.",
        "The API reference says only that the job is ended; of training jobs it says Stopped.",
    ),
    Switch(
        "outputs-after-failure",
        ("none", "upload"),
        "Outputs with upload mode EndOfJob of a processing job that failed or was stopped, and /opt/ml/output/data of "
        "a training job that failed: not uploaded, or uploaded.",
        "The API reference says that EndOfJob uploads when the job completes, and nothing of other ends.",
    ),
    Switch(
        "argument-limits",
        ("create", "run"),
        "Too many items in a list of a step's Arguments: refused when the pipeline is created, or when its job is.",
        "sagemaker-python-sdk issue 2554: seen at run time in 2021, said to be caught at creation since 2022.",
    ),
    Switch(
        "expression-for-list",
        ("refuse", "allow"),
        "An expression (a Get of a property) in the place of a whole list of a step's Arguments.",
        "sagemaker-python-sdk issue 2345: creating the pipeline failed in 2021; the developer guide says nothing.",
    ),
    Switch(
        "nested-conditions",
        ("allow", "refuse"),
        "A Condition step inside a branch of another.",
        "The developer guide of 2023 forbids it, the SDK writes it.",
    ),
    Switch(
        "rejoin",
        ("wait", "refuse"),
        "A step that depends on a step inside a branch in which it does not stand: accepted, and never started when "
        "that branch is not taken, or refused when the pipeline is created.",
        "sagemaker-python-sdk issue 3565: accepted, and a step after both branches never starts.",
    ),
    Switch(
        "depends-on-condition",
        ("refuse", "allow"),
        "A Condition step in DependsOn.",
        "sagemaker-python-sdk issue 3565: creating the pipeline fails; the SDK lets it be written.",
    ),
    Switch(
        "steps-quota",
        ("none", "50"),
        "How many steps a pipeline may have, those inside Conditions and ForEach bodies included.",
        "An adjustable account quota, not in the API reference.",
    ),
    Switch(
        "expire-after-forms",
        ("documented", "iso-8601"),
        "ExpireAfter of a CacheConfig: the short forms that the developer guide shows (30d, 30dT5h), or ISO 8601 only.",
        "Developer guide, pipelines-caching-enabling: it asks for ISO 8601, and its examples are no ISO 8601.",
    ),
    Switch(
        "cache-without-expiry",
        ("refuse", "keep"),
        "CacheConfig enabled without ExpireAfter: refused, or a result that never grows too old.",
        "Developer guide, pipelines-caching: a timeout must be defined too; the SDK writes none by default.",
    ),
    Switch(
        "endpoint-step-deployment-config",
        ("refuse", "allow"),
        "DeploymentConfig in the Arguments of an Endpoint step.",
        "The published definition schema lists EndpointName, EndpointConfigName and Tags only.",
    ),
    Switch(
        "flexible-window",
        ("start", "end"),
        "A schedule with a flexible time window fires at the start of the window, or at its end.",
        "EventBridge Scheduler's user guide says only: at some time within the window.",
    ),
    Switch(
        "monitor-delay",
        ("none", "spread"),
        "A monitoring execution starts at its scheduled time, or up to 20 minutes later (by the schedule's name).",
        "The developer guide: there could be a delay of 0-20 minutes from the requested time.",
    ),
    Switch(
        "trigger-any-on-never-run",
        ("skip", "run"),
        "A step with a run condition Any on a step that never ran: never runs either, or runs.",
        "AWS's SDK says that Any means any terminal state, and nothing of steps that never began.",
    ),
    Switch(
        "step-stopped-outside",
        ("Stopped", "Failed"),
        "How an execution ends in which somebody stopped a step's job, without a run condition on that.",
        "Not published.",
    ),
    Switch(
        "callback-timeout",
        ("7-days", "none"),
        "A Callback step that nobody answers fails after seven days, or waits until the execution's own time limit.",
        "Not in the API reference; the only published limit is the execution's 672 hours.",
    ),
    Switch(
        "pipeline-quotas",
        ("none", "default"),
        "The account's adjustable quotas of 500 pipelines and 20 executions at a time: not held, or held.",
        "Developer guide, quotas of pipelines.",
    ),
    Switch(
        "payload-limit",
        ("6-mb", "25-mb"),
        "The largest body of InvokeEndpoint and of its answer (of endpoints that are not serverless).",
        "API reference and service model of the runtime: 6,291,456 bytes; developer guide, hosting FAQ: 25 MB.",
    ),
    Switch(
        "rollback-batches",
        ("paced", "at-once"),
        "A rolling deployment that is rolled back in batches: each is followed by the policy's wait, or none is.",
        "Developer guide, rolling deployments: back in batches of the size that is given; their pace is not.",
    ),
    Switch(
        "monitor-schedule-events",
        ("sent", "none"),
        "Whether a monitoring schedule's change of status is put on EventBridge, with its description as detail.",
        "EventBridge's reference lists SageMaker Monitoring Schedule State Change; the developer guide shows none.",
    ),
    Switch(
        "monitor-namespace",
        ("plain", "leading-slash"),
        "CloudWatch namespaces of monitors: aws/sagemaker/Endpoints/data-metrics and the like, or with a slash first.",
        "The developer guide's pages spell it both ways; AWS's example notebooks set alarms on the first.",
    ),
)
