"""Addresses in AWS's console, by partition and region."""

from __future__ import annotations

from cloudml_sagemaker.target import Place

_HOSTS = {
    "aws": "console.aws.amazon.com",
    "aws-cn": "console.amazonaws.cn",
    "aws-us-gov": "console.amazonaws-us-gov.com",
}
_PAGES = {"ProcessingJob": "processing-jobs", "TrainingJob": "jobs", "TuningJob": "hyper-tuning-jobs"}


def job_page(place: Place, kind: str, name: str) -> str:
    """The page of a job; empty where the console is not known."""
    host = _HOSTS.get(place.partition)
    if host is None or kind not in _PAGES:
        return ""
    where = host if place.partition != "aws" else f"{place.region}.{host}"
    return f"https://{where}/sagemaker/home?region={place.region}#/{_PAGES[kind]}/{name}"
