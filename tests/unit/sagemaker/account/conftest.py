from __future__ import annotations

import sys
from pathlib import Path

from cloudml.testing.mocks import _sagemaker_mock_server, sagemaker_mock, sagemaker_mock_options

__all__ = ["_sagemaker_mock_server", "sagemaker_mock", "sagemaker_mock_options"]
# The fixtures of the plugin: a conftest that is not the topmost may not name it in `pytest_plugins`.

sys.path.insert(0, str(Path(__file__).parent))
