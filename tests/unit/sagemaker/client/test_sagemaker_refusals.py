"""What is told when AWS refuses. Codes and sentences are those of AWS's API references and user guides."""

from __future__ import annotations

import pytest

from cloudml_sagemaker.refusals import Call, kind_of, refusal, unreachable

WHO = "arn:aws:sts::123456789012:assumed-role/ci/build"
ROLE = "arn:aws:iam::123456789012:role/ml"


def told(code: str, message: str, status: int = 400, service: str = "sagemaker") -> str:
    return refusal(Call(service, "AnOperation", "us-east-1", code, message, status, "r-1")).hint


@pytest.mark.parametrize(
    ("code", "status", "kind"),
    [
        ("ThrottlingException", 400, "throttled"),
        ("SlowDown", 503, "throttled"),
        ("AnythingElse", 429, "throttled"),
        ("InternalFailure", 500, "server"),
        ("AnythingElse", 502, "server"),
        ("ExpiredTokenException", 400, "expired"),
        ("InvalidClientTokenId", 403, "bad-credentials"),
        ("AccessDeniedException", 400, "denied"),
        ("ResourceLimitExceeded", 400, "quota"),
        ("ResourceNotFound", 400, "missing"),
        ("404", 404, "missing"),
        ("BucketAlreadyOwnedByYou", 409, "exists"),
        ("ConflictException", 400, "conflict"),
        ("ValidationException", 400, "invalid"),
        ("SomethingNew", 400, "other"),
    ],
)
def test_a_refusal_is_of_a_kind(code: str, status: int, kind: str) -> None:
    assert kind_of(code, "m", status) == kind


@pytest.mark.parametrize(
    ("code", "message", "kind"),
    [
        ("ValidationException", "Could not find model 'arn:aws:sagemaker:us-east-1:1:model/m'.", "missing"),
        ("ValidationException", "Cannot create already existing endpoint 'e'. It already exists.", "exists"),
        ("ConflictException", "Model package group already exists: arn", "exists"),
        ("ConflictException", "Pipeline is being updated", "conflict"),
        ("ValidationException", "The security token included in the request is expired", "expired"),
    ],
)
def test_where_a_code_is_vague_the_words_tell(code: str, message: str, kind: str) -> None:
    assert kind_of(code, message, 400) == kind


def test_a_head_that_is_refused_without_a_word_blames_nobody() -> None:
    hint = told("503", "Service Unavailable", 503, "s3")
    assert "asked too often" in hint
    assert "trouble of its own" in hint


def test_only_what_may_pass_is_passing_and_only_what_may_have_worked_is_uncertain() -> None:
    found = {
        code: (error.passing, error.uncertain)
        for code in ("ThrottlingException", "InternalFailure", "AccessDenied", "ValidationException")
        for error in [refusal(Call("s3", "PutObject", "us-east-1", code, "m", 400))]
    }
    assert found == {
        "ThrottlingException": (True, False),
        "InternalFailure": (True, True),
        "AccessDenied": (False, False),
        "ValidationException": (False, False),
    }


def test_a_denied_action_is_named_with_its_resource_and_who_asked() -> None:
    sentence = (
        f"User: {WHO} is not authorized to perform: iam:PassRole on resource: {ROLE} because no identity-based policy "
        "allows the iam:PassRole action"
    )
    assert told("AccessDeniedException", sentence) == (
        f"{WHO} needs iam:PassRole on {ROLE}: add it to a policy of that identity"
    )


def test_an_explicit_deny_is_not_answered_with_a_grant() -> None:
    sentence = (
        f"User: {WHO} is not authorized to perform: sagemaker:CreatePipeline on resource: {ROLE} with an explicit deny "
        "in a service control policy"
    )
    hint = told("AccessDeniedException", sentence)
    assert "forbids sagemaker:CreatePipeline" in hint
    assert "needs" not in hint


def test_a_denial_without_reasons_names_the_call() -> None:
    assert "s3:AnOperation" in told("AccessDenied", "Access Denied", 403, "s3")


def test_a_quota_is_named_with_its_limit_and_how_to_raise_it() -> None:
    sentence = (
        "The account-level service limit 'ml.m5.xlarge for processing job usage' is 0 Instances, with current "
        "utilization of 0 Instances and a request delta of 1 Instances. Please use AWS Service Quotas to request an "
        "increase for this quota."
    )
    hint = told("ResourceLimitExceeded", sentence)
    assert hint.startswith("the quota 'ml.m5.xlarge for processing job usage' is 0 in us-east-1")
    assert "request-service-quota-increase" in hint


@pytest.mark.parametrize(
    ("code", "message"),
    [
        (
            "AuthorizationHeaderMalformed",
            "The authorization header is malformed; the region 'us-east-1' is wrong; expecting 'eu-west-1'",
        ),
        (
            "IllegalLocationConstraintException",
            "The eu-west-1 location constraint is incompatible for the region specific endpoint this request was "
            "sent to.",
        ),
    ],
)
def test_a_bucket_in_another_region_is_told_with_both(code: str, message: str) -> None:
    hint = told(code, message, service="s3")
    assert "eu-west-1" in hint
    assert "'us-east-1'" in hint


def test_expired_and_missing_credentials_say_how_to_sign_in() -> None:
    assert "aws sso login" in told("ExpiredToken", "The provided token has expired.")
    missing = unreachable(Call("s3", "PutObject", "us-east-1", "NoCredentialsError", "Unable to locate credentials"))
    assert (missing.kind, missing.passing) == ("no-credentials", False)
    assert "aws configure" in missing.hint


def test_a_line_that_breaks_is_passing_and_uncertain_a_bad_certificate_is_not() -> None:
    broken = unreachable(Call("s3", "PutObject", "us-east-1", "ConnectionClosedError", "closed", -1))
    assert (broken.kind, broken.passing, broken.uncertain) == ("connection", True, True)
    assert not unreachable(Call("s3", "PutObject", "us-east-1", "SSLError", "self-signed", -1)).passing


def test_the_error_has_operation_code_and_request_id() -> None:
    error = refusal(Call("sagemaker", "CreateModel", "us-east-1", "ValidationException", "no", 400, "r-9"))
    assert (error.operation, error.provider_code, error.request_id, error.code) == (
        "CreateModel",
        "ValidationException",
        "r-9",
        "CML320",
    )
    assert error.exit_code == 4
