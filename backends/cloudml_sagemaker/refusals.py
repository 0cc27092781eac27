"""What AWS says when it refuses, put into words that say what to do. Knows no SDK: reads codes and messages.

The codes are those of "Common Errors" of the SageMaker and S3 API references and of the services' own pages; AWS's
sentence about a denied action is documented in the IAM user guide, "Troubleshoot access denied error messages".
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, TypeAlias

from cloudml.errors import CloudError

Kind: TypeAlias = Literal[
    "throttled", "server", "connection", "expired", "no-credentials", "bad-credentials", "denied", "region", "quota",
    "missing", "exists", "conflict", "invalid", "mock", "other",
]  # fmt: skip

PASSING: frozenset[Kind] = frozenset({"throttled", "server", "connection"})
"""What may be gone at the next attempt. Only these are tried again."""


class AwsError(CloudError):
    """AWS refused a call, or could not be asked. `kind` is for programs, the hint for people.

    `uncertain`: whether it may have taken effect although it looks refused (an answer that never came, a 5xx).
    """

    def __init__(
        self, kind: Kind, operation: str, provider_code: str, message: str, *, request_id: str = "", hint: str = ""
    ) -> None:
        super().__init__(operation, provider_code, message, request_id=request_id, hint=hint)
        self.kind = kind
        self.reason = message

    @property
    def passing(self) -> bool:
        """Whether another attempt may succeed."""
        return self.kind in PASSING

    @property
    def uncertain(self) -> bool:
        """Whether the call may have taken effect."""
        return self.kind in ("server", "connection")


@dataclass(frozen=True)
class Call:
    """The call that was refused: what it was, where, and what AWS answered."""

    service: str
    operation: str
    region: str
    code: str
    message: str
    status: int = 0
    request_id: str = ""


def refusal(call: Call) -> AwsError:
    """The error for an answer of AWS's."""
    kind = kind_of(call.code, call.message, call.status)
    hint = _HINTS[kind](call) if kind in _HINTS else ""
    return AwsError(kind, call.operation, call.code, call.message, request_id=call.request_id, hint=hint)


def unreachable(call: Call) -> AwsError:
    """The error for a call that AWS never answered; `code` is the name of the SDK's exception."""
    kind = _SDK_ERRORS.get(call.code, "connection" if call.status == -1 else "other")
    hint = _HINTS[kind](call) if kind in _HINTS else ""
    return AwsError(kind, call.operation, call.code, call.message, hint=hint)


def kind_of(code: str, message: str, status: int) -> Kind:
    """What sort of refusal it is: by code, then by what the message says, then by HTTP status."""
    if code in _CODES and code not in _VAGUE:
        return _CODES[code]
    for pattern, kind in _MESSAGES:
        if pattern.search(message):
            return kind
    if code in _CODES:
        return _CODES[code]
    if status == 429:
        return "throttled"
    if status >= 500:
        return "server"
    return "missing" if status == 404 else "invalid" if code.startswith("Validation") else "other"


_KINDS: dict[Kind, str] = {
    "throttled": "Throttling ThrottlingException ThrottledException RequestThrottled RequestThrottledException "
    "TooManyRequestsException RequestLimitExceeded BandwidthLimitExceeded SlowDown PriorRequestNotComplete "
    "ProvisionedThroughputExceededException EC2ThrottledException TransactionInProgressException",
    "server": "InternalFailure InternalError InternalServerError InternalServerException ServiceUnavailable "
    "ServiceUnavailableException RequestTimeout RequestTimeoutException",
    "expired": "ExpiredToken ExpiredTokenException RequestExpired TokenRefreshRequired",
    "bad-credentials": "InvalidClientTokenId UnrecognizedClientException SignatureDoesNotMatch InvalidAccessKeyId "
    "AuthFailure InvalidSignatureException IncompleteSignature MissingAuthenticationToken InvalidToken",
    "denied": "AccessDenied AccessDeniedException UnauthorizedOperation NotAuthorized AuthorizationError Forbidden 403",
    "region": "PermanentRedirect AuthorizationHeaderMalformed IllegalLocationConstraintException OptInRequired 301",
    "quota": "ResourceLimitExceeded LimitExceededException LimitExceeded ServiceQuotaExceededException TooManyBuckets",
    "missing": "ResourceNotFound ResourceNotFoundException NoSuchBucket NoSuchKey NoSuchEntity 404 NotFound "
    "NotFoundException QueueDoesNotExist AWS.SimpleQueueService.NonExistentQueue",
    "exists": "BucketAlreadyOwnedByYou EntityAlreadyExists EntityAlreadyExistsException ResourceAlreadyExistsException "
    "AlreadyExistsException QueueNameExists",
    "conflict": "ConflictException ResourceInUse ResourceInUseException OperationAborted",
}
_CODES: dict[str, Kind] = {code: kind for kind, codes in _KINDS.items() for code in codes.split()}

_VAGUE = frozenset({"ConflictException", "ResourceInUse", "ResourceInUseException"})
"""Said of a name that is taken as well as of something that is being changed just now: the words tell which."""

_MESSAGES: tuple[tuple[re.Pattern[str], Kind], ...] = (
    (re.compile(r"security token .*expired|token (has|is) expired", re.IGNORECASE), "expired"),
    (re.compile(r"not authorized to perform", re.IGNORECASE), "denied"),
    (re.compile(r"already exist", re.IGNORECASE), "exists"),
    (re.compile(r"does not exist|could not find|not found|no such", re.IGNORECASE), "missing"),
)
"""SageMaker refuses much with ValidationException, and only the words tell what is meant."""

_SDK_ERRORS: dict[str, Kind] = {
    "NoCredentialsError": "no-credentials",
    "PartialCredentialsError": "no-credentials",
    "CredentialRetrievalError": "no-credentials",
    "ProfileNotFound": "no-credentials",
    "ConfigNotFound": "no-credentials",
    "SSOTokenLoadError": "expired",
    "UnauthorizedSSOTokenError": "expired",
    "TokenRetrievalError": "expired",
    "LoginRefreshRequired": "expired",
    "NoRegionError": "region",
    "InvalidRegionError": "region",
    "UnknownRegionError": "region",
    "ParamValidationError": "invalid",
    "InvalidEndpointConfigurationError": "region",
    "SSLError": "other",
}
"""The SDK's own exceptions that are no passing trouble of the line."""

_DENIED = re.compile(
    r"(?:User: (?P<who>\S+) is )?not authorized to perform: (?P<action>[\w-]+:\w+)"
    r"(?: on resource: (?P<resource>\S+?)[.,]?(?=\s|$))?(?: (?P<why>because .*|with an explicit deny.*))?",
    re.DOTALL,
)
_QUOTA = re.compile(r"service limit '(?P<quota>[^']+)' is (?P<limit>[\d,.]+)")
_PLACE = re.compile(r"expecting '(?P<region>[a-z0-9-]+)'|[Tt]he (?P<other>[a-z]{2}(?:-[a-z]+)+-\d) location constraint")


def _hint_denied(call: Call) -> str:
    found = _DENIED.search(call.message)
    if found is None:
        return f"the identity that is used may not do {call.service}:{call.operation}; ask for that permission"
    resource = found["resource"] or "*"
    who = found["who"] or "the identity that is used"
    if found["why"] and "explicit deny" in found["why"]:
        return f"a policy forbids {found['action']} on {resource} to {who}: whoever owns that policy must lift it"
    return f"{who} needs {found['action']} on {resource}: add it to a policy of that identity"


def _hint_quota(call: Call) -> str:
    found = _QUOTA.search(call.message)
    what = f"the quota {found['quota']!r} is {found['limit']}" if found else "a quota of the account is reached"
    service = call.service
    return (
        f"{what} in {call.region}: raise it in Service Quotas (`aws service-quotas list-service-quotas --service-code "
        f"{service} --region {call.region}`, then `request-service-quota-increase`), use another machine, or wait for "
        "what runs"
    )


def _hint_region(call: Call) -> str:
    found = _PLACE.search(call.message)
    if found is not None:
        return f"it lies in {found['region'] or found['other']}, the target says {call.region!r}: correct one of them"
    return f"the target's region is {call.region!r}: is it written right, and enabled for the account?"


_TROUBLE = "AWS has trouble of its own: see its health dashboard, and try again"
# The answer to a HEAD has no body, so S3's SlowDown and its ServiceUnavailable are both a bare 503 there.
_WORDLESS = "AWS was asked too often, or has trouble of its own, and does not say which: try again later"

_HINTS: dict[Kind, Callable[[Call], str]] = {
    "throttled": lambda call: "AWS asks to slow down, and went on asking: try again later",
    "server": lambda call: _WORDLESS if call.code == "503" else _TROUBLE,
    "connection": lambda call: (
        f"{call.service} in {call.region!r} does not answer: is the region written right, and is there a network? "
        "AWS_ENDPOINT_URL, if set, must lead somewhere"
    ),
    "expired": lambda call: "the credentials have expired: sign in again (`aws sso login`), or renew the session token",
    "no-credentials": lambda call: (
        "no credentials were found: `aws configure`, `aws sso login`, AWS_PROFILE, or AWS_ACCESS_KEY_ID and "
        "AWS_SECRET_ACCESS_KEY"
    ),
    "bad-credentials": lambda call: (
        "AWS does not know these credentials: `aws sts get-caller-identity` shows whose they are; keys of another "
        "partition, or ones that were deleted, look like this too"
    ),
    "denied": _hint_denied,
    "region": _hint_region,
    "quota": _hint_quota,
    "missing": lambda call: f"looked for in {call.region!r}: another region or account does not show it",
    "conflict": lambda call: "something else works on it: wait until that is over, then do this again",
    "invalid": lambda call: "AWS does not take this request as it is; the message says which part",
}
