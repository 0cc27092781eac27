"""Pipelines of containers: data from one to the next, parameters, placeholders, caching, importers."""

from harness import BUCKET, CACHED, DONE, PYTHON, ROOT, SHELL, Case, Refused, Run
from kfp import dsl
from parts import SAID, count, say, shell, tell


@dsl.container_component
def write_data(rows: int, data: dsl.Output[dsl.Dataset]):
    program = 'note "write $1"; mkdir -p "$(dirname "$2")"; seq 1 "$1" > "$2"'
    return dsl.ContainerSpec(image=SHELL, command=shell(program), args=[rows, data.path])


@dsl.container_component
def sum_data(data: dsl.Input[dsl.Dataset], out: dsl.OutputPath(int)):
    program = 'n=0; while read -r one; do n=$((n + one)); done < "$1"; note "sum $n"; put "$2" $n'
    return dsl.ContainerSpec(image=SHELL, command=shell(program), args=[data.path, out])


@dsl.container_component
def report(number: int, uri: dsl.Input[dsl.Dataset]):
    return dsl.ContainerSpec(
        image=SHELL,
        command=shell('note "report $1 ${2##*/}"; case "$2" in gs://*) ;; *) exit 1;; esac'),
        args=[number, uri.uri],
    )


def linear() -> Case:
    @dsl.pipeline(name="linear", description="Three containers in a row: an artifact, a parameter, a URI.")
    def pipeline(rows: int = 4):
        written = write_data(rows=rows)
        added = sum_data(data=written.outputs["data"])
        report(number=added.outputs["out"], uri=written.outputs["data"])

    def run(name, rows, value):
        return Run(
            name,
            "KFP user guide, container components: `.path` is a local path of the artifact, `.uri` its URI, an "
            "OutputPath parameter is read from the file",
            DONE,
            {"write-data": DONE, "sum-data": DONE, "report": DONE},
            parameters={"rows": rows} if rows != 4 else {},
            said=(f"write {rows}", f"sum {value}", f"report {value} data"),
            ordered=True,
            values={"sum-data": {"out": value}},
            artifacts={
                "write-data": {
                    "data": {"type": "system.Dataset", "text": "".join(f"{n}\n" for n in range(1, rows + 1))}
                }
            },
        )

    return Case(pipeline, (run("default", 4, 10), run("given", 10, 55)))


# 1 and 1.0 are the same number: a Struct knows no other than doubles.
SHOW = (
    "import json, sys; whole = lambda text: int(float(text)) if float(text) == int(float(text)) else float(text);"
    "values = [sys.argv[1], *(json.loads(one, parse_float=whole) for one in sys.argv[2:])];"
    f"print(json.dumps(values, sort_keys=True), file=open('{SAID}', 'a'))"
)


@dsl.container_component
def show(text: str, number: int, share: float, flag: bool, names: list, table: dict):
    return dsl.ContainerSpec(
        image=PYTHON, command=["python3", "-c", SHOW], args=[text, number, share, flag, names, table]
    )


def parameters() -> Case:
    @dsl.pipeline(name="parameters", description="Parameters of every type, with and without defaults.")
    def pipeline(
        needed: str,
        number: int = 3,
        share: float = 0.25,
        flag: bool = True,
        names: list = ["a", "b"],  # noqa: B006
        table: dict = {"k": [1, 2]},  # noqa: B006
    ):
        show(text=needed, number=number, share=share, flag=flag, names=names, table=table)

    why = "Vertex, PipelineJob.RuntimeConfig.parameter_values: by name, of the types declared; otherwise the default"
    return Case(
        pipeline,
        (
            Run(
                "defaults",
                why,
                DONE,
                {"show": DONE},
                parameters={"needed": 'it\'s "here"'},
                said=('["it\'s \\"here\\"", 3, 0.25, true, ["a", "b"], {"k": [1, 2]}]',),
            ),
            Run(
                "given",
                why,
                DONE,
                {"show": DONE},
                parameters={
                    "needed": "x",
                    "number": -7,
                    "share": 1.5,
                    "flag": False,
                    "names": [],
                    "table": {"é": {"n": None}},
                },
                said=('["x", -7, 1.5, false, [], {"\\u00e9": {"n": null}}]',),
            ),
            Run(
                "a whole number is a double too",
                why,
                DONE,
                {"show": DONE},
                parameters={"needed": "", "share": 2},
                said=('["", 3, 2, true, ["a", "b"], {"k": [1, 2]}]',),
            ),
        ),  # fmt: skip
        (
            Refused("missing", "no default, and it is not optional", {}, ("needed",)),
            Refused("text for a number", "NUMBER_INTEGER", {"needed": "x", "number": "three"}, ("number",)),
            Refused("fraction for an integer", "NUMBER_INTEGER", {"needed": "x", "number": 1.5}, ("number",)),
            Refused("number for a text", "STRING", {"needed": 5}, ("needed",)),
            Refused("text for a boolean", "BOOLEAN", {"needed": "x", "flag": "true"}, ("flag",)),
            Refused("struct for a list", "LIST", {"needed": "x", "names": {"a": 1}}, ("names",)),
            Refused("list for a struct", "STRUCT", {"needed": "x", "table": [1]}, ("table",)),
            Refused("unknown", "no parameter of the root component", {"needed": "x", "other": 1}, ("other",)),
        ),
    )


@dsl.container_component
def join(first: str, second: str = "two", third: str = None):
    return dsl.ContainerSpec(
        image=SHELL,
        command=shell('note "$@"'),
        args=[
            dsl.ConcatPlaceholder(["--first=", first, "+", dsl.ConcatPlaceholder(["<", second, ">"])]),
            dsl.IfPresentPlaceholder(input_name="third", then=["--third", third], else_=["--no-third"]),
        ],
    )


def concat_if_present() -> Case:
    @dsl.pipeline(name="concat-if-present", description="Arguments put together, and arguments that may be left out.")
    def pipeline():
        without = join(first="1")
        join(first="a b", second="é", third="3").after(without)

    return Case(
        pipeline,
        (
            Run(
                "run",
                "KFP user guide, container components: ConcatPlaceholder joins, IfPresentPlaceholder takes `else_` when "
                "no argument is given; a list in it becomes several arguments",
                DONE,
                {"join": DONE, "join-2": DONE},
                said=("--first=1+<two> --no-third", "--first=a b+<é> --third 3"),
                ordered=True,
            ),
        ),
    )


@dsl.container_component
def places(out: dsl.OutputPath(str), data: dsl.Output[dsl.Artifact], given: str = "g"):
    check = (
        "import json, re, sys; name, resource, number, task, task_id, root, given, path, uri, executor = sys.argv[1:];"
        "found = json.loads(executor);"
        "assert resource.startswith('projects/') and '/locations/' in resource;"
        "assert resource.endswith('/pipelineJobs/' + name), resource;"
        "assert re.fullmatch(r'-?[0-9]+', number) and re.fullmatch(r'-?[0-9]+', task_id), (number, task_id);"
        f"assert root.startswith('{ROOT}'), root;"
        "assert found['inputs']['parameterValues'] == {'given': given}, found;"
        "assert found['outputs']['parameters']['out']['outputFile'] == path, (found, path);"
        "assert found['outputs']['artifacts']['data']['artifacts'][0]['uri'] == uri, (found, uri);"
        "assert uri.startswith(root) and name in uri, (uri, root);"
        "assert found['outputs']['outputFile'].endswith('/executor_output.json'), found;"
        f"print('places', task, given, file=open('{SAID}', 'a'));"
        "import os; os.makedirs(os.path.dirname(path), exist_ok=True); open(path, 'w').write('out')"
    )
    return dsl.ContainerSpec(
        image=PYTHON,
        command=["python3", "-c", check],
        args=[
            dsl.PIPELINE_JOB_NAME_PLACEHOLDER, dsl.PIPELINE_JOB_RESOURCE_NAME_PLACEHOLDER,
            dsl.PIPELINE_JOB_ID_PLACEHOLDER, dsl.PIPELINE_TASK_NAME_PLACEHOLDER, dsl.PIPELINE_TASK_ID_PLACEHOLDER,
            dsl.PIPELINE_ROOT_PLACEHOLDER, given, out, data.uri, dsl.PIPELINE_TASK_EXECUTOR_INPUT_PLACEHOLDER,
        ],
    )  # fmt: skip


def placeholders() -> Case:
    @dsl.pipeline(name="placeholders", description="Everything that a container can ask about its job.")
    def pipeline():
        places().set_display_name("Shown name")
        say(text=f"job {dsl.PIPELINE_JOB_NAME_PLACEHOLDER} of {dsl.PIPELINE_TASK_NAME_PLACEHOLDER}")

    return Case(
        pipeline,
        (
            Run(
                "run",
                "kfp.dsl reference, PIPELINE_*_PLACEHOLDER; pipeline_spec.proto, ExecutorInput",
                DONE,
                {"places": DONE, "say": DONE},
                said=("places places g", "job {job} of say"),
                doubt="{{$.pipeline_task_name}} is the task's name in the IR, not its display name; in an argument of "
                "the pipeline it is resolved where it is used",
            ),
        ),
    )


def caching() -> Case:
    @dsl.pipeline(name="caching", description="What ran before with the same inputs is not run again.")
    def pipeline(text: str = "a", other: str = "x"):
        first = tell(text=text)
        tell(text=f"{first.outputs['out']}2").set_display_name("Second")
        tell(text=other)
        tell(text="never kept").set_caching_options(False)

    tasks = ("tell", "tell-2", "tell-3", "tell-4")
    why = "Vertex, configure-caching: the inputs, the outputs' names and the container make the key; a hit is SKIPPED"
    return Case(
        pipeline,
        (
            Run(
                "first", why, DONE, dict.fromkeys(tasks, DONE),
                said=("tell a", "tell a2", "tell x", "tell never kept"),
            ),
            Run(
                "again", why, DONE, {"tell": CACHED, "tell-2": CACHED, "tell-3": CACHED, "tell-4": DONE},
                said=("tell never kept",), values={"tell-2": {"out": "a2"}, "tell-4": {"out": "never kept"}},
            ),
            Run(
                "another value", why, DONE, {"tell": CACHED, "tell-2": CACHED, "tell-3": DONE, "tell-4": DONE},
                parameters={"other": "y"}, said=("tell y", "tell never kept"),
            ),
        ),
        caching=True,
    )  # fmt: skip


@dsl.container_component
def read_import(data: dsl.Input[dsl.Dataset]):
    program = 'note "read $(cat "$1") version $2 of ${3##*/}"'
    return dsl.ContainerSpec(image=SHELL, command=shell(program), args=[data.path, data.metadata["version"], data.uri])


def importing() -> Case:
    uri = f"gs://{BUCKET}/given/data.csv"

    @dsl.pipeline(name="importing", description="An object that was there before, brought in as an artifact.")
    def pipeline(where: str = uri):
        found = dsl.importer(
            artifact_uri=where, artifact_class=dsl.Dataset, reimport=False, metadata={"version": "7", "by": "team"}
        )
        read_import(data=found.output)

    return Case(
        pipeline,
        (
            Run(
                "run",
                "KFP user guide, importer components: an artifact of this URI, class and metadata",
                DONE,
                {"importer": DONE, "read-import": DONE},
                said=("read one,two version 7 of data.csv",),
                artifacts={
                    "importer": {"artifact": {"type": "system.Dataset", "metadata": {"version": "7", "by": "team"}}}
                },
            ),
        ),
        files={uri: "one,two"},
    )


@dsl.container_component
def train(model: dsl.Output[dsl.Model], metrics: dsl.Output[dsl.Metrics], score: dsl.OutputPath(float)):
    program = (
        "import json, os, sys; found = json.loads(sys.argv[1]); out = found['outputs'];"
        "local = lambda uri: uri.replace('gs://', '/gcs/');"
        "model, metrics = (out['artifacts'][name]['artifacts'][0] for name in ('model', 'metrics'));"
        "path = local(model['uri']); os.makedirs(path); open(path + '/weights', 'w').write('w');"
        "model['metadata'] = {'framework': 'own', 'layers': 'three'};"
        "metrics['metadata'] = {'auc': 0.75, 'f1': 0.5};"
        "told = {'parameterValues': {'score': 0.75}, 'artifacts': {"
        "'model': {'artifacts': [model]}, 'metrics': {'artifacts': [metrics]}}};"
        "os.makedirs(os.path.dirname(out['outputFile']), exist_ok=True);"
        "json.dump(told, open(out['outputFile'], 'w'))"
    )
    return dsl.ContainerSpec(
        image=PYTHON,
        command=["python3", "-c", program],
        args=[dsl.PIPELINE_TASK_EXECUTOR_INPUT_PLACEHOLDER],
    )


@dsl.container_component
def look(model: dsl.Input[dsl.Model], score: float):
    program = 'note "$(cat "$1/weights") $2 $3 $4"'
    return dsl.ContainerSpec(
        image=SHELL,
        command=shell(program),
        args=[model.path, model.metadata["framework"], model.metadata["layers"], score],
    )


def executor_output() -> Case:
    @dsl.pipeline(name="executor-output", description="A container that tells metadata by executor_output.json.")
    def pipeline():
        trained = train()
        look(model=trained.outputs["model"], score=trained.outputs["score"])

    return Case(
        pipeline,
        (
            Run(
                "run",
                "pipeline_spec.proto, ExecutorOutput: the parameters and artifacts that the executor wrote to "
                "outputs.output_file; artifacts are matched by name",
                DONE,
                {"train": DONE, "look": DONE},
                said=("w own three 0.75",),
                values={"train": {"score": 0.75}},
                artifacts={
                    "train": {
                        "model": {"type": "system.Model", "metadata": {"framework": "own", "layers": "three"}},
                        "metrics": {"type": "system.Metrics", "metadata": {"auc": 0.75, "f1": 0.5}},
                    }
                },
            ),
        ),
    )


def resources() -> Case:
    @dsl.pipeline(name="resources", description="Machines: limits, accelerators, environment variables.")
    def pipeline():
        plain = say(text="plain")
        limited = say(text="limited").set_cpu_limit("8").set_memory_limit("32G").after(plain)
        limited.set_env_variable("GREETING", "hello")
        gpu = say(text="gpu").set_cpu_limit("4").set_memory_limit("15G")
        gpu.set_accelerator_type("NVIDIA_TESLA_T4").set_accelerator_limit(1)

    return Case(
        pipeline,
        (
            Run(
                "run",
                "Vertex, pipelines/machine-types: e2-standard-4 by default; else the closest machine that is not "
                "smaller; accelerators as asked",
                DONE,
                {"say": DONE, "say-2": DONE, "say-3": DONE},
                said=("plain", "limited", "gpu"),
                jobs={
                    "say": {"machine_type": "e2-standard-4"},
                    "say-3": {"accelerator_type": "NVIDIA_TESLA_T4", "accelerator_count": 1},
                },
            ),
        ),
    )


@dsl.pipeline(name="inner")
def inner(text: str, times: int = 2) -> str:
    counted = count(value=times)
    first = tell(text=text).after(counted)
    return tell(text=f"{first.outputs['out']}+").outputs["out"]


def nested_pipeline() -> Case:
    @dsl.pipeline(name="nested-pipeline", description="A pipeline used as a component, twice, and its output used.")
    def pipeline(text: str = "deep") -> str:
        one = inner(text=text)
        two = inner(text=one.output, times=5)
        say(text=two.output)
        return two.output

    inside = ("count", "tell", "tell-2")
    return Case(
        pipeline,
        (
            Run(
                "run",
                "KFP user guide, pipelines as components: values cross by declared inputs and outputs",
                DONE,
                {
                    "inner": DONE,
                    "inner-2": DONE,
                    "say": DONE,
                    **{f"{outer}.{task}": DONE for outer in ("inner", "inner-2") for task in inside},
                },
                said=("tell deep", "tell deep+", "tell deep+", "tell deep++", "deep++"),
                values={"inner-2.tell-2": {"out": "deep++"}},
            ),
        ),  # fmt: skip
    )


@dsl.container_component
def nested_json(text: str, out: dsl.OutputPath(str)):
    """Its input, whole, in a JSON text of its argument: as Google's own components pass it on to a CustomJob."""
    check = (
        "import json, os, sys; payload, path = sys.argv[1:];"
        "found = json.loads(json.loads(payload)['args'][0]);"
        "assert found['outputs']['parameters']['out']['outputFile'] == path, found;"
        f"print('given', found['inputs']['parameterValues']['text'], file=open('{SAID}', 'a'));"
        "os.makedirs(os.path.dirname(path), exist_ok=True); open(path, 'w').write('out')"
    )
    return dsl.ContainerSpec(
        image=PYTHON, command=["python3", "-c", check], args=['{"args": ["{{$.json_escape[1]}}"]}', out]
    )


def json_escape() -> Case:
    @dsl.pipeline(name="json-escape", description="The executor's input as a text in a JSON text.")
    def pipeline(text: str = "plain"):
        nested_json(text=text)

    def run(name, text):
        return Run(
            name,
            "google-cloud-pipeline-components, v1.automl: {{$.json_escape[1]}} between the quotes of a JSON text is "
            "the input of the executor, escaped once more",
            DONE, {"nested-json": DONE}, parameters={"text": text}, said=(f"given {text}",),
        )  # fmt: skip

    return Case(pipeline, (run("plain", "plain"), run("quotes and backslashes", "a \"b\" \\ 'c'")))


CASES = (
    linear, parameters, concat_if_present, placeholders, json_escape, caching, importing, executor_output, resources,
    nested_pipeline,
)  # fmt: skip
