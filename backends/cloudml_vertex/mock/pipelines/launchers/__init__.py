"""Launchers of the Google Cloud components (google-cloud-pipeline-components): what they do, done on the mock itself.

The image `gcr.io/ml-pipeline/google-cloud-pipeline-components` holds programs that call Vertex AI's public hosts and
wait. Here the same requests are made by a function `call(rpc, request)`; nothing sleeps: `start` and `poll` say how far
it has come. Behaviour is that of version 2.22 of the package, `container/v1`.
"""

from cloudml_vertex.mock.pipelines.launchers.command import Launch, LauncherProblem, recognise
from cloudml_vertex.mock.pipelines.launchers.progress import Call, Progress
from cloudml_vertex.mock.pipelines.launchers.steps import cancel, poll, start

__all__ = ["Call", "Launch", "LauncherProblem", "Progress", "cancel", "poll", "recognise", "start"]
