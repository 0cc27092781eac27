"""The CloudFormation template of what an account needs before the first deploy: a bucket, the role, the policies.

python -m cloudml_sagemaker.policies.template > infra/sagemaker/account.yaml

Its policies are those of `cloudml permissions` for any pipeline, with the stack's parameters in the place of names.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from typing import Any

import yaml

from cloudml_sagemaker.policies.deployer import builder, deployer, doctor
from cloudml_sagemaker.policies.needs import EVERYTHING
from cloudml_sagemaker.policies.role import role, trust
from cloudml_sagemaker.policies.scope import Scope
from cloudml_sagemaker.policies.statements import Statement, document, packed

LONGEST = 24
"""Characters of a project's and a target's name that leave a policy within IAM's limits."""
_ROOM = 4_600
"""Characters of a policy with placeholders, so that it keeps within 6,144 with names in their place."""

_HEADER = """\
# What an AWS account needs before the first `cloudml deploy` of a project to a target: a bucket, the role that
# pipelines and jobs run as, and policies for those who deploy. Made from `cloudml_sagemaker.policies.template`; see
# docs/how-to/prepare-an-aws-account.md. It permits every kind of pipeline, without a key or a network of one's own:
# `cloudml permissions` derives less, from what a project really has.
"""

SCOPE = Scope(
    partition="${AWS::Partition}",
    region="${AWS::Region}",
    account="${AWS::AccountId}",
    bucket="${BucketName}",
    prefix="${Project}/${Target}",
    project="${Project}",
    target="${Target}",
    stem="${Project}-${Target}-*",
    group="${Project}-${Target}*",
    role="arn:${AWS::Partition}:iam::${AWS::AccountId}:role/${RoleName}",
)
"""A target whose names are the stack's parameters."""


def template() -> dict[str, Any]:
    """The template as CloudFormation's own object."""
    return {
        "AWSTemplateFormatVersion": "2010-09-09",
        "Description": "What cloudml needs to deploy a project to SageMaker: bucket, role, policies",
        "Parameters": _parameters(),
        "Resources": {**_bucket(), **_role(), **_policies()},
        "Outputs": {
            "Bucket": {"Description": "bucket = in cloudml.toml", "Value": {"Ref": "Bucket"}},
            "Role": {"Description": "role = in cloudml.toml", "Value": {"Fn::GetAtt": ["Role", "Arn"]}},
        },
    }


def _parameters() -> dict[str, Any]:
    name = {
        "Type": "String",
        "AllowedPattern": "[a-z][a-z0-9]*(-[a-z0-9]+)*",
        "MaxLength": LONGEST,
        "ConstraintDescription": f"lower case letters, digits and single -, {LONGEST} at most; for other names use "
        "cloudml permissions",
    }
    return {
        "Project": {**name, "Description": "project.name in cloudml.toml"},
        "Target": {**name, "Description": "the target's name in cloudml.toml"},
        "BucketName": {"Type": "String", "MaxLength": 63, "Description": "a bucket that does not exist yet"},
        "RoleName": {"Type": "String", "MaxLength": 64, "Default": "cloudml", "Description": "of the role to make"},
    }


def _bucket() -> dict[str, Any]:
    """Encrypted, closed, without half uploads; it outlives the stack."""
    closed = ("BlockPublicAcls", "BlockPublicPolicy", "IgnorePublicAcls", "RestrictPublicBuckets")
    rule = {"Id": "half-uploads", "Status": "Enabled", "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 7}}
    whole = [{"Fn::GetAtt": ["Bucket", "Arn"]}, {"Fn::Sub": "${Bucket.Arn}/*"}]
    tls = {
        "Sid": "TlsOnly",
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:*",
        "Resource": whole,
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    }
    return {
        "Bucket": {
            "Type": "AWS::S3::Bucket",
            "DeletionPolicy": "Retain",
            "UpdateReplacePolicy": "Retain",
            "Properties": {
                "BucketName": {"Ref": "BucketName"},
                "BucketEncryption": {
                    "ServerSideEncryptionConfiguration": [
                        {"ServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}},
                    ]
                },
                "PublicAccessBlockConfiguration": dict.fromkeys(closed, True),
                "OwnershipControls": {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]},
                "LifecycleConfiguration": {"Rules": [rule]},
            },
        },
        "BucketPolicy": {
            "Type": "AWS::S3::BucketPolicy",
            "Properties": {
                "Bucket": {"Ref": "Bucket"},
                "PolicyDocument": {"Version": "2012-10-17", "Statement": [tls]},
            },
        },
    }


def _role() -> dict[str, Any]:
    return {
        "Role": {
            "Type": "AWS::IAM::Role",
            "Properties": {
                "RoleName": {"Ref": "RoleName"},
                "AssumeRolePolicyDocument": substituted(trust(SCOPE, EVERYTHING)),
                "Policies": [
                    {"PolicyName": "cloudml", "PolicyDocument": substituted(document(role(SCOPE, EVERYTHING)))}
                ],
            },
        }
    }


def _policies() -> dict[str, Any]:
    return {
        **_managed("Deployer", "plan, apply, run, observe and destroy", deployer(SCOPE, EVERYTHING)),
        **_managed("Doctor", "cloudml doctor, beside the deployer's", doctor(SCOPE, EVERYTHING)),
        **_managed("Builder", "cloudml build --push", builder(SCOPE)),
    }


def _managed(name: str, what: str, statements: Iterable[Statement]) -> dict[str, Any]:
    """Managed policies, named by the stack and attached to nobody."""
    return {
        f"{name}Policy{number}": {
            "Type": "AWS::IAM::ManagedPolicy",
            "Properties": {"Description": what, "PolicyDocument": substituted(document(part))},
        }
        for number, part in enumerate(packed(statements, _ROOM), 1)
    }


def substituted(value: Any) -> Any:
    """The same with every text that has a placeholder as Fn::Sub; keys of conditions have none."""
    if isinstance(value, Mapping):
        return {key: substituted(item) for key, item in value.items()}
    if isinstance(value, list):
        return [substituted(item) for item in value]
    return {"Fn::Sub": value} if isinstance(value, str) and "${" in value else value


class _Plain(yaml.SafeDumper):
    """Writes each value where it stands, without anchors."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def render() -> str:
    """The template's file."""
    return _HEADER + yaml.dump(template(), Dumper=_Plain, sort_keys=False, width=110, allow_unicode=True)


if __name__ == "__main__":
    sys.stdout.write(render())
