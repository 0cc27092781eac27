"""Every page is tried: its sessions run, its Python runs, its files parse, its links lead somewhere."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from fences import Fence, Shell, commands, fences, matches

ROOT = Path(__file__).parents[2]
PAGES = sorted(path.relative_to(ROOT).as_posix() for path in (ROOT / "README.md", *ROOT.glob("docs/**/*.md")))
TEXTS = {page: (ROOT / page).read_text(encoding="utf-8") for page in PAGES}

PREPARED = {"README.md": "cloudml init churn demo"}
"""What has happened before a page's first command."""

SMALL = ("customers: ml.Param[int] = 10_000", "customers: ml.Param[int] = 2_000")
"""The template's database is made smaller, so that the tests are quick; the pages show the real size."""

MINUTES = {"docs/how-to/deploy-to-sagemaker.md": "cloudml mock sagemaker"}
"""From the first command on that begins so, the session takes minutes: it is run when CLOUDML_SLOW is set."""

THIRD_PARTY = ROOT / "tests" / "thirdparty"

_LINK = re.compile(r"(?<!!)\[[^\]\[]+\]\(([^)\s]+)\)")


def having(language: str) -> list[str]:
    """The pages with blocks in that language."""
    return [page for page in PAGES if any(fence.language == language for fence in fences(TEXTS[page]))]


def blocks(page: str, language: str) -> list[Fence]:
    return [fence for fence in fences(TEXTS[page]) if fence.language == language]


@pytest.fixture
def shell(tmp_path: Path, plain_environment: dict[str, str]) -> Iterator[Shell]:
    """A session in an empty folder; what it deployed is stopped afterwards."""
    session = Shell(tmp_path, plain_environment)
    yield session
    for record in sorted(tmp_path.rglob("endpoints/*/record.json")):
        project, name = record.parents[3], record.parent.name
        Shell(project, plain_environment).run(f"cloudml stop {name}")
    session.run('test -z "$MOCK" || kill "$MOCK" 2> /dev/null')


def make_small(folder: Path) -> None:
    """Shrink every churn project below the folder."""
    for path in folder.rglob("churn/pipeline.py"):
        text = path.read_text(encoding="utf-8")
        if SMALL[0] in text:
            path.write_text(text.replace(*SMALL), encoding="utf-8")


def do_edit(fence: Fence, folder: Path) -> None:
    """What a reader does at a titled block: write the file, or change the lines that a diff shows."""
    target = folder / fence.title
    if fence.language != "diff":
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(fence.body, encoding="utf-8")
        return
    lines = fence.body.splitlines()
    old, new = ("\n".join(line[1:] for line in lines if not line.startswith(sign)) for sign in "+-")
    text = target.read_text(encoding="utf-8")
    old = old if old in text else old.replace(*SMALL)
    assert text.count(old) == 1, f"{fence.title} has {text.count(old)} times:\n{old}"
    target.write_text(text.replace(old, new), encoding="utf-8")


@pytest.mark.parametrize("page", having("console"))
def test_sessions_print_what_the_page_shows(page: str, shell: Shell, tmp_path: Path) -> None:
    if page in PREPARED:
        status, printed = shell.run(PREPARED[page])
        assert status == 0, printed
        make_small(tmp_path)
    for fence in fences(TEXTS[page]):
        if fence.title:
            do_edit(fence, shell.folder)
        session = commands(fence) if fence.language == "console" else []
        for index, command in enumerate(session):
            if page in MINUTES and command.text.startswith(MINUTES[page]) and not os.environ.get("CLOUDML_SLOW"):
                return
            status, printed = shell.run(command.text)
            make_small(tmp_path)
            where = f"{page}:{command.line}: $ {command.text}\n--- printed, with exit code {status}:\n{printed}"
            followed = index + 1 < len(session) and session[index + 1].text == "echo $?"
            assert status == 0 or followed, where
            shown = [line for line in command.shown if line.strip() and not line.startswith("#")]
            assert matches(shown, printed), where


BUILD_ALL = """
import sys
import page
from cloudml.authoring.pipelines import PipelineFunction
from cloudml.validation import validate
for name, found in list(vars(page).items()):
    if isinstance(found, PipelineFunction) and name != "wrong":
        built, locations = found.build_with_locations()
        errors = [finding for finding in validate(built, locations) if finding.severity == "error"]
        assert not errors, (name, errors)
"""


@pytest.mark.parametrize("page", having("python"))
def test_python_runs_and_its_pipelines_are_valid(page: str, tmp_path: Path, plain_environment: dict[str, str]) -> None:
    """The untitled blocks of a page are one module."""
    code = "\n\n".join(fence.body for fence in blocks(page, "python") if not fence.title)
    if not code:
        pytest.skip("every block of the page is a file")
    (tmp_path / "page.py").write_text(code, encoding="utf-8")
    command = [sys.executable, "-c", BUILD_ALL]
    done = subprocess.run(
        command, cwd=tmp_path, env=plain_environment, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, f"{done.stderr}\nthe module:\n{code}"


@pytest.mark.parametrize("page", having("python"))
def test_files_shown_are_the_files_tested(page: str) -> None:
    """A block whose title is a file below tests/thirdparty shows that very file."""
    for fence in fences(TEXTS[page]):
        if fence.title and (THIRD_PARTY / fence.title).is_file():
            assert fence.body == (THIRD_PARTY / fence.title).read_text(encoding="utf-8"), fence.title


@pytest.mark.parametrize("page", PAGES)
def test_every_other_block_parses(page: str) -> None:
    from cloudml.spec import from_yaml
    from cloudml.validation import validate

    for fence in blocks(page, "toml"):
        tomllib.loads(fence.body)
    for fence in blocks(page, "yaml"):
        if "spec_version" in fence.body:
            assert not [one for one in validate(from_yaml(fence.body)) if one.severity == "error"]
    for fence in blocks(page, "python"):
        compile(fence.body, f"{page}:{fence.line}", "exec")


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_somewhere(page: str) -> None:
    prose = re.sub(r"```.*?```", "", TEXTS[page], flags=re.DOTALL)
    for link in _LINK.findall(prose):
        if link.startswith(("http://", "https://", "mailto:")):
            continue
        place, _, anchor = link.partition("#")
        target = (ROOT / page).parent / place if place else ROOT / page
        assert target.exists(), f"{page}: {link}"
        site = (ROOT / "docs").resolve()
        assert page == "README.md" or site in target.resolve().parents, f"{page}: {link} leaves the site"
        if anchor:
            assert anchor in _anchors(target.read_text(encoding="utf-8")), f"{page}: {link}"


def _anchors(text: str) -> set[str]:
    headings = re.findall(r"^#+ +(.+?) *$", re.sub(r"```.*?```", "", text, flags=re.DOTALL), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_the_navigation_names_every_page() -> None:
    import yaml

    navigation = yaml.safe_load((ROOT / "mkdocs.yml").read_text(encoding="utf-8"))["nav"]
    assert sorted(_leaves(navigation)) == [page.removeprefix("docs/") for page in PAGES if page.startswith("docs/")]


def _leaves(node: object) -> Iterator[str]:
    if isinstance(node, str):
        yield node
    elif isinstance(node, list):
        for child in node:
            yield from _leaves(child)
    elif isinstance(node, dict):
        for child in node.values():
            yield from _leaves(child)
