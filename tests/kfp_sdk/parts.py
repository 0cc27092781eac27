"""Components of several pipelines: containers that run a shell or Python program, and write down that they ran."""

from harness import BUCKET, PYTHON, SHELL
from kfp import dsl

SAID = f"/gcs/{BUCKET}/said"
"""A file that containers add a line to: what ran, and what it was given."""

NOTE = f'mkdir -p /gcs/{BUCKET}; note() {{ printf "%s\\n" "$*" >> {SAID}; }}; put() {{ mkdir -p "$(dirname "$1")"; printf %s "$2" > "$1"; }}; '


def shell(program: str) -> list[str]:
    """The command of a container: a shell with `note WORDS` and `put FILE TEXT`; arguments are $1, $2..."""
    return ["sh", "-ec", NOTE + program, "sh"]


@dsl.container_component
def say(text: str):
    return dsl.ContainerSpec(image=SHELL, command=shell('note "$1"'), args=[text])


@dsl.container_component
def say_number(number: float):
    return dsl.ContainerSpec(image=SHELL, command=shell('note "$1"'), args=[number])


@dsl.container_component
def say_int(number: int):
    return dsl.ContainerSpec(image=SHELL, command=shell('note "$1"'), args=[number])


@dsl.container_component
def fail(text: str):
    return dsl.ContainerSpec(image=SHELL, command=shell('note "$1"; exit 3'), args=[text])


@dsl.container_component
def tell(text: str, out: dsl.OutputPath(str)):
    """Gives its text back."""
    return dsl.ContainerSpec(image=SHELL, command=shell('note "tell $1"; put "$2" "$1"'), args=[text, out])


@dsl.container_component
def measure(value: float, auc: dsl.OutputPath(float)):
    """Gives a number, by a named output."""
    return dsl.ContainerSpec(image=SHELL, command=shell('put "$2" "$1"'), args=[value, auc])


@dsl.container_component
def count(value: int, number: dsl.OutputPath(int)):
    return dsl.ContainerSpec(image=SHELL, command=shell('put "$2" "$1"'), args=[value, number])


@dsl.container_component
def decide(text: str, yes: dsl.OutputPath(bool)):
    return dsl.ContainerSpec(image=SHELL, command=shell('put "$2" "$1"'), args=[text, yes])


@dsl.container_component
def items(text: str, found: dsl.OutputPath(list[int])):
    """Gives a JSON list."""
    return dsl.ContainerSpec(image=SHELL, command=shell('put "$2" "$1"'), args=[text, found])


@dsl.container_component
def square(number: int, out: dsl.OutputPath(int)):
    program = 'note "square $1"; put "$2" $(($1 * $1))'
    return dsl.ContainerSpec(image=SHELL, command=shell(program), args=[number, out])


@dsl.container_component
def total(numbers: list, out: dsl.OutputPath(int)):
    """Adds up a JSON list of whole numbers."""
    program = (
        "import json, os, sys; numbers = json.loads(sys.argv[1]); os.makedirs(os.path.dirname(sys.argv[2]), exist_ok=True);"
        f"open(sys.argv[2], 'w').write(str(int(sum(numbers)))); "
        f"print('total', sorted(int(one) for one in numbers), file=open('{SAID}', 'a'))"
    )
    return dsl.ContainerSpec(image=PYTHON, command=["python3", "-c", program], args=[numbers, out])
