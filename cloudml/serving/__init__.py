"""The neutral model server: one process that answers predictions under every contract cloudml deploys to.

    problems    what a client did wrong, as an HTTP status and one sentence
    schema      the features a row must have, learnt from sample rows
    protocol    request bodies -> rows, predictions -> answer bodies (JSON, JSON lines, CSV)
    oip         the Open Inference Protocol's tensors -> rows and back
    batcher     one worker thread; a batch is whatever arrived while the previous prediction ran
    telemetry   counters and latency histograms, and their Prometheus text
    app         the routes
    server      the process: arguments, loading, warm-up, signals

Only the standard library is imported here; starlette and uvicorn load with the application.
"""
