from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cloudml.runtime.main import run

Output = Callable[..., dict[str, Any]]


def sha256(path: str | Path) -> str:
    return "sha256:" + hashlib.sha256(Path(path).read_bytes()).hexdigest()


def stored(path: Path, stored_format: str, **parts: Any) -> dict[str, Any]:
    return {"path": str(path), "format": stored_format, "digest": sha256(path), "filename": path.name, **parts}


def test_a_value_is_returned_stored_and_inlined(bench: Any, output: Output) -> None:
    result = bench.run(
        "def f(depth, eta): return depth * eta", arguments={"depth": 6, "eta": 0.5}, outputs=[output("float")]
    )
    assert bench.exit_code == 0
    assert result["status"] == "succeeded"
    assert result["values"] == {"output": 3.0}
    [made] = result["outputs"]
    assert made["digest"] == sha256(made["path"])
    assert made["size"] == os.path.getsize(made["path"]) == 3
    assert made["filename"] == "output.json"
    assert json.loads(Path(made["path"]).read_text()) == 3.0
    assert os.listdir(os.path.dirname(made["path"])) == ["output.json"]


def test_a_decorated_object_is_called_by_its_fn(bench: Any, output: Output) -> None:
    source = """
    class Step:
        def __init__(self, fn): self.fn = fn
        def __call__(self): raise AssertionError("a build, not a run")
    @Step
    def f(): return "plain"
    """
    assert bench.run(source, outputs=[output("str")])["values"] == {"output": "plain"}


def test_inputs_are_decoded_by_their_declared_type(bench: Any, output: Output, tmp_path: Path) -> None:
    path = tmp_path / "0a1b"
    path.write_text("[1, 2]")
    pair = {"name": "pair", "type": "tuple[int, float]", "mode": "value", **stored(path, "json", filename="pair.json")}
    result = bench.run(
        "def f(pair): return [type(pair).__name__, type(pair[1]).__name__]",
        inputs=[pair],
        outputs=[output("list[str]")],
    )
    assert result["values"] == {"output": ["tuple", "float"]}


def test_items_are_decoded_one_by_one(bench: Any, output: Output, tmp_path: Path) -> None:
    items = []
    for index, text in enumerate(("1", "2.5")):
        path = tmp_path / f"item{index}"
        path.write_text(text)
        items.append(stored(path, "json"))
    scores = {"name": "scores", "type": "list[float]", "mode": "value", "items": items}
    result = bench.run("def f(scores): return sum(scores)", inputs=[scores], outputs=[output("float")])
    assert result["values"] == {"output": 3.5}


@pytest.mark.parametrize("damage", ["changed", "missing"])
def test_a_damaged_or_missing_input_never_reaches_the_function(
    bench: Any, output: Output, tmp_path: Path, damage: str
) -> None:
    path = tmp_path / "object"
    path.write_text("[1]")
    data = {"name": "data", "type": "list[int]", "mode": "value", **stored(path, "json")}
    path.write_text("[2]") if damage == "changed" else path.unlink()
    result = bench.run(
        "def f(data): open('/nonexistent/reached', 'w')", step="train", inputs=[data], outputs=[output("int")]
    )
    failure = result["failure"]
    assert bench.exit_code == 1
    assert (failure["class"], failure["exception"]) == ("error", "CorruptArtifact")
    for part in ("'data'", "'train'", str(path), "cloudml gc --verify"):
        assert part in failure["message"]


def test_a_damaged_large_array_is_found_beside_its_loading(bench: Any, output: Output, tmp_path: Path) -> None:
    import numpy as np

    path = tmp_path / "object"
    with path.open("wb") as file:
        np.save(file, np.zeros(1_000_000))
    data = {"name": "data", "type": "numpy.ndarray", "mode": "value", **stored(path, "npy")}
    with path.open("r+b") as file:
        file.seek(-1, os.SEEK_END)
        file.write(b"\x01")
    result = bench.run("def f(data): return 1", inputs=[data], outputs=[output("int")])
    assert result["failure"]["exception"] == "CorruptArtifact"


def test_an_input_handle_has_a_sensible_name(bench: Any, output: Output, tmp_path: Path) -> None:
    path = tmp_path / "0123abcd"
    path.write_text("x,y\n")
    table = {"name": "table", "type": "cloudml.File", "mode": "handle", **stored(path, "file", filename="table.csv")}
    result = bench.run(
        "def f(table): return [type(table).__name__, table.path.name, table.path.read_text()]",
        inputs=[table],
        outputs=[output("list[str]")],
    )
    assert result["values"] == {"output": ["File", "table.csv", "x,y\n"]}


def test_arguments_follow_the_annotations(bench: Any, output: Output) -> None:
    source = """
    from __future__ import annotations
    from pathlib import Path
    def f(where: Path, share: float, pair: tuple[int, ...], name: str):
        return [type(v).__name__ for v in (where.parent, share, pair, name)]
    """
    arguments = {"where": "/a/b", "share": 1, "pair": [1, 2], "name": "/c"}
    result = bench.run(source, arguments=arguments, outputs=[output("list[str]")])
    assert result["values"] == {"output": ["PosixPath", "float", "tuple", "str"]}


def test_named_tuple_fields_become_ports(bench: Any, output: Output) -> None:
    source = """
    from typing import NamedTuple
    import cloudml.runtime.metrics as m
    class Scores(m.Metrics):
        auc: float
    class Split(NamedTuple):
        train: list[int]
        score: Scores
    def f() -> Split: return Split([1, 2], Scores(auc=0.5))
    """
    ports = [output("list[int]", "train"), output("Scores", "score", "metrics", ("auc",))]
    result = bench.run(source, outputs=ports)
    assert result["values"] == {"train": [1, 2], "score": {"auc": 0.5}}
    assert [item["name"] for item in result["outputs"]] == ["train", "score"]


def test_a_metrics_class_is_one_port(bench: Any, output: Output) -> None:
    source = """
    from cloudml.runtime.metrics import Metrics
    class Scores(Metrics):
        auc: float
        gap: float
    def f(gap: float): return Scores(auc=0.75, gap=gap)
    """
    port = output("steps.Scores", "metrics", "metrics", ("auc", "gap"))
    result = bench.run(source, arguments={"gap": 0.25}, outputs=[port])
    assert result["values"] == {"metrics": {"auc": 0.75, "gap": 0.25}}


def test_a_metric_that_is_not_finite_is_named(bench: Any, output: Output) -> None:
    source = """
    from cloudml.runtime.metrics import Metrics
    class Scores(Metrics):
        auc: float
    def f(): return Scores(auc=float("nan"))
    """
    result = bench.run(source, outputs=[output("steps.Scores", "metrics", "metrics", ("auc",))])
    assert "'auc' is nan" in result["failure"]["message"]


def test_out_handles_beside_a_returned_value(bench: Any, output: Output) -> None:
    source = """
    def f(report, folder):
        report.path.write_text("<p>")
        folder.path.mkdir()
        (folder.path / "a.txt").write_text("a")
        return 1
    """
    ports = [output("cloudml.Report", "report", "handle"), output("cloudml.Dataset", "folder", "handle"), output("int")]
    result = bench.run(source, outputs=ports)
    made = {item["name"]: item for item in result["outputs"]}
    assert made["report"]["digest"] == sha256(made["report"]["path"])
    line = f"{hashlib.sha256(b'a').hexdigest()} - a.txt\n"
    assert made["folder"]["digest"] == "tree:" + hashlib.sha256(line.encode()).hexdigest()
    assert result["values"] == {"output": 1}


def test_an_out_handle_may_be_given_a_suffix(bench: Any, output: Output) -> None:
    source = "def f(table): table.path.with_suffix('.csv').write_text('x')"
    result = bench.run(source, outputs=[output("cloudml.File", "table", "handle")])
    assert result["outputs"][0]["filename"] == "table.csv"


def test_an_out_handle_that_was_not_written_fails(bench: Any, output: Output) -> None:
    result = bench.run("def f(model): return None", outputs=[output("cloudml.Model", "model", "handle")])
    assert "wrote nothing to its output 'model'" in result["failure"]["message"]
    assert result["failure"]["exception"] == "WrongOutput"
    assert result["failure"]["where"].endswith(".py:1")


def test_a_returned_path_is_copied(bench: Any, output: Output, tmp_path: Path) -> None:
    source = tmp_path / "made.txt"
    source.write_text("text")
    result = bench.run(
        "from pathlib import Path\ndef f(at: Path): return at",
        arguments={"at": str(source)},
        outputs=[output("pathlib.Path")],
    )
    [made] = result["outputs"]
    assert made["filename"] == "made.txt"
    assert Path(made["path"]).read_text() == "text"
    assert source.exists()


@pytest.mark.parametrize(
    ("returned", "declared", "found"),
    [
        ("{}", "polars.DataFrame", "dict"),
        ("1.5", "int", "float"),
        ("True", "float", "bool"),
        ("[1, 'a']", "list[int]", "str at [1]"),
        ("{'a': [None]}", "dict[str, list[int]]", "None at ['a'][0]"),
        ("(1, 2)", "tuple[int]", "tuple of 2"),
        ("None", "str", "None"),
        ("1", "None", "int"),
    ],
)
def test_a_wrong_type_is_told(bench: Any, output: Output, returned: str, declared: str, found: str) -> None:
    outputs = [] if declared == "None" else [output(declared)]
    result = bench.run(f"def f(): return {returned}", outputs=outputs)
    assert result["failure"]["message"] == f"f returned {found}, declared {declared}"


def test_none_where_none_is_declared(bench: Any, output: Output) -> None:
    assert bench.run("def f(): pass")["status"] == "succeeded"
    assert bench.run("def f(): pass", outputs=[output("int | None")])["values"] == {"output": None}


def test_the_failure_shows_only_the_users_frames(bench: Any) -> None:
    source = """
    def inner(): raise KeyError("customer")
    def f(): inner()
    """
    failure = bench.run(source)["failure"]
    assert failure["class"] == "error"
    assert failure["exception"] == "KeyError"
    assert "inner()" in failure["traceback"]
    assert "cloudml/runtime" not in failure["traceback"]
    assert failure["where"] == f"{bench.module(source)}.py:2"


@pytest.mark.parametrize(
    ("raised", "expected"),
    [
        ("ConnectionResetError('x')", "transient"),
        ("TimeoutError('x')", "transient"),
        ("__import__('cloudml.runtime.failures', fromlist=['x']).Transient('x')", "transient"),
        ("__import__('urllib.error').error.URLError('x')", "transient"),
        ("__import__('urllib.error').error.HTTPError('u', 404, 'x', None, None)", "error"),
        ("__import__('urllib.error').error.HTTPError('u', 503, 'x', None, None)", "transient"),
        ("MemoryError('x')", "memory"),
        ("KeyboardInterrupt('x')", "interrupted"),
        ("SystemExit(0)", "error"),
        ("FileNotFoundError('x')", "error"),
    ],
)
def test_failures_are_classified(bench: Any, raised: str, expected: str) -> None:
    assert bench.run(f"def f(): raise {raised}")["failure"]["class"] == expected
    assert bench.exit_code == 1


def test_a_module_that_does_not_import_is_located(bench: Any) -> None:
    failure = bench.run("x = 1\ndef f(:\n")["failure"]
    assert failure["exception"] == "SyntaxError"
    assert failure["where"].endswith(".py:2")


def test_an_unknown_function_is_told(bench: Any) -> None:
    failure = bench.run("def g(): pass")["failure"]
    assert failure["exception"] == "FunctionNotFound"
    assert "has no f" in failure["message"]


def test_secrets_come_from_the_environment_and_are_masked(bench: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLOUDML_SECRET_CRM", "hunter2-preferred")
    monkeypatch.setenv("CRM", "other")
    failure = bench.run("def f(crm): raise ValueError('login with ' + crm)", secrets={"crm": "CRM"})["failure"]
    assert failure["message"] == "login with ***"
    assert "hunter2" not in json.dumps(failure)


def test_a_missing_secret_names_both_variables(bench: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CRM", raising=False)
    failure = bench.run("def f(crm): pass", secrets={"crm": "CRM"})["failure"]
    assert failure["exception"] == "MissingSecret"
    assert "CLOUDML_SECRET_CRM (or CRM)" in failure["message"]


def test_reports_and_pruning(bench: Any) -> None:
    source = """
    from cloudml.runtime.reporting import report
    def f():
        for value in (0.5, 0.6, 0.9): report(value)
    """
    pruning = {"direction": "maximize", "medians": {"1": 0.9, "2": 0.7}, "warmup_reports": 1}
    result = bench.run(source, pruning=pruning)
    assert (bench.exit_code, result["status"]) == (0, "pruned")
    assert result["reports"] == [[1, 0.5], [2, 0.6]]
    assert (bench.attempt / "reports.jsonl").read_text() == "[1, 0.5]\n[2, 0.6]\n"


def test_the_checkpoint_folder_is_given(bench: Any, output: Output, tmp_path: Path) -> None:
    source = """
    from cloudml.runtime.reporting import checkpoint_dir, progress
    def f():
        progress(1, 4, "quarter")
        return str(checkpoint_dir())
    """
    result = bench.run(source, checkpoint=str(tmp_path / "kept"), outputs=[output("str")])
    assert result["values"] == {"output": str(tmp_path / "kept")}
    assert (tmp_path / "kept").is_dir()
    assert json.loads((bench.attempt / "progress.json").read_text()) == {"done": 1, "total": 4, "text": "quarter"}


def test_the_seed_makes_random_numbers_repeat(bench: Any, output: Output) -> None:
    source = "import random\nimport numpy\ndef f(): return [random.random(), float(numpy.random.rand())]"
    first = bench.run(source, seed=7, outputs=[output("list[float]")])["values"]
    assert bench.run(source, seed=7, outputs=[output("list[float]")])["values"] == first
    assert bench.run(source, seed=8, outputs=[output("list[float]")])["values"] != first


def test_large_values_are_not_inlined(bench: Any, output: Output) -> None:
    result = bench.run("def f(): return 'x' * 70_000", outputs=[output("str")])
    assert result["values"] == {}
    assert result["outputs"][0]["size"] == 70_002


def test_a_disk_that_refuses_is_told(bench: Any, output: Output) -> None:
    (bench.attempt / "outputs").write_text("a file where a folder should be")
    failure = bench.run("def f(): return 1", step="train", outputs=[output("int")])["failure"]
    assert failure["exception"] == "CannotStore"
    assert "'train'" in failure["message"]


def test_an_envelope_of_another_version_is_refused(bench: Any, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(str(bench.envelope("m:f", version=2))) == 1
    assert "version 2" in capsys.readouterr().err


def test_names_that_leave_their_folder_are_refused(
    bench: Any, output: Output, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(str(bench.envelope("m:f", outputs=[output("int", "../../escape")]))) == 1
    assert "plain name" in capsys.readouterr().err


def test_sigterm_runs_finally_blocks(bench: Any) -> None:
    module = bench.module("""
    import pathlib, time
    HERE = pathlib.Path(__file__).parent
    def f():
        try:
            (HERE / "started").touch()
            try:
                time.sleep(60)
            except Exception:
                (HERE / "swallowed").touch()
        finally:
            (HERE / "cleaned").touch()
    """)
    envelope = bench.envelope(f"{module}:f")
    process = subprocess.Popen([sys.executable, "-m", "cloudml.runtime", str(envelope)])
    deadline = time.monotonic() + 30
    while not (bench.project / "started").exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    process.send_signal(signal.SIGTERM)
    assert process.wait(30) == 1
    result = json.loads((bench.attempt / "result.json").read_text())
    assert (result["status"], result["failure"]["class"]) == ("failed", "interrupted")
    assert (bench.project / "cleaned").exists()
    assert not (bench.project / "swallowed").exists()


def test_it_runs_in_a_forked_child(bench: Any, output: Output) -> None:
    module = bench.module("def f(): return 5")
    envelope = bench.envelope(f"{module}:f", outputs=[output("int")])
    child = os.fork()
    if child == 0:
        os._exit(run(str(envelope)))
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert json.loads((bench.attempt / "result.json").read_text())["values"] == {"output": 5}


def test_the_handler_of_sigterm_is_put_back(bench: Any) -> None:
    before = signal.getsignal(signal.SIGTERM)
    bench.run("def f(): pass")
    assert signal.getsignal(signal.SIGTERM) is before


def test_starting_imports_nothing_heavy() -> None:
    heavy = {"numpy", "polars", "pandas", "pydantic", "inspect", "dataclasses", "sklearn", "asyncio"}
    code = (
        "import sys; import cloudml.runtime.main, cloudml.runtime.inputs, cloudml.runtime.outputs; "
        f"sys.exit(' '.join({sorted(heavy)!r} and sorted({heavy!r} & set(sys.modules))))"
    )
    process = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert process.stderr.strip() == ""


def test_an_intact_input_of_another_type_is_told(bench: Any, output: Output, tmp_path: Path) -> None:
    path = tmp_path / "object"
    path.write_text("[1]")
    for declared, stored_format in (("polars.DataFrame", "json"), ("polars.DataFrame", "parquet"), ("set", "json")):
        data = {"name": "data", "type": declared, "mode": "value", **stored(path, stored_format)}
        failure = bench.run("def f(data): pass", step="train", inputs=[data])["failure"]
        assert failure["exception"] == "UnreadableInput"
        assert f"input 'data' of step 'train' cannot be read as {declared}" in failure["message"]


def test_an_estimator_goes_from_step_to_step(bench: Any, output: Output) -> None:
    source = """
    from sklearn.linear_model import LogisticRegression
    def f(): return LogisticRegression().fit([[0.0], [1.0]], [0, 1])
    def g(model): return model.predict([[1.0]]).tolist()
    """
    [made] = bench.run(source, outputs=[output("sklearn.linear_model.LogisticRegression")])["outputs"]
    assert made["filename"] == "output.skops"
    os.rename(made["path"], bench.root / "0a")
    model = {**made, "name": "model", "path": str(bench.root / "0a"), "type": "sklearn.base.BaseEstimator"}
    result = bench.run(source, "g", inputs=[model], outputs=[output("list[int]")])
    assert result["values"] == {"output": [1]}


def test_a_large_array_has_the_digest_of_its_file(bench: Any, output: Output) -> None:
    source = "import numpy\ndef f(): return numpy.arange(1_000_000)"
    [made] = bench.run(source, outputs=[output("numpy.ndarray")])["outputs"]
    assert made["digest"] == sha256(made["path"])
    assert made["size"] == 8_000_128
