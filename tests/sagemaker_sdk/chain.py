"""Seconds that AWS's SDK takes for a chain of processing steps, the same that benchmarks/sagemaker_compile.py compiles.

    sdkenv/bin/python tests/sagemaker_sdk/chain.py STEPS

Prints JSON: CPU seconds of `constructing` the steps and of `writing` the definition, and its `bytes`. What is imported
and warmed up before does not count; nothing is uploaded, for the code's place is given as a URI. The SDK is measured at
its best: without a configuration file, which it would check against a JSON schema several times a step.
"""

from __future__ import annotations

import json
import logging
import os
import sys
import time
import warnings
from typing import Any

from harness import session


def chain(sdk: Any, count: int) -> Any:
    """A pipeline of steps each of which reads what the one before it wrote."""
    from sagemaker.mlops.workflow.steps import CacheConfig
    from twin_parts import FRESH, output_of, processing
    from twins_jobs import pipeline

    steps: list[Any] = []
    for number in range(count):
        read = (output_of(steps[-1]),) if steps else ()
        cache = CacheConfig(enable_caching=True, expire_after="P365D")
        steps.append(processing(sdk, f"s{number}", ("fresh", FRESH), read=read, cache_config=cache))
    return pipeline(sdk, steps)


def main(count: int) -> None:
    """Warm up with two steps, then measure."""
    del os.environ["SAGEMAKER_ADMIN_CONFIG_OVERRIDE"]
    logging.disable(logging.WARNING)
    warnings.simplefilter("ignore")
    sdk = session()
    chain(sdk, 2).definition()
    begin = time.process_time()
    made = chain(sdk, count)
    middle = time.process_time()
    text = made.definition()
    end = time.process_time()
    json.dump({"constructing": middle - begin, "writing": end - middle, "bytes": len(text)}, sys.stdout)


if __name__ == "__main__":
    main(int(sys.argv[1]))
