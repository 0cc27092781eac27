"""The wheel as it is installed: what lies in it, and that it works without the tree it was built from."""

from __future__ import annotations

import configparser
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

PACKAGES = {
    "cloudml": "cloudml",
    "cloudml_local": "backends/cloudml_local",
    "cloudml_sagemaker": "backends/cloudml_sagemaker",
    "cloudml_vertex": "backends/cloudml_vertex",
    "cloudml_templates": "templates/cloudml_templates",
}


@pytest.fixture(scope="module")
def distributions(tmp_path_factory: pytest.TempPathFactory, repository: Path) -> Path:
    """A folder with the sdist, and with the wheel that was built from the sdist."""
    place = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(place), str(repository)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return place


@pytest.fixture(scope="module")
def wheel(distributions: Path) -> Path:
    return next(distributions.glob("*.whl"))


@pytest.fixture(scope="module")
def names(wheel: Path) -> set[str]:
    """The files in the wheel."""
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel unpacked into a folder of its own, as pip does it; dependencies come from the tests' environment."""
    target = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-index", "--no-deps", "--target", str(target)]
    subprocess.run([*command, str(wheel)], check=True, timeout=120, capture_output=True)
    return target


def test_only_our_packages_are_at_the_top(names: set[str]) -> None:
    tops = {name.partition("/")[0] for name in names}
    info = {top for top in tops if top.endswith(".dist-info")}
    assert len(info) == 1
    assert tops - info == set(PACKAGES)


def test_every_source_file_is_inside(names: set[str], written_files: tuple[Path, ...], repository: Path) -> None:
    for package, folder in PACKAGES.items():
        source = repository / folder
        expected = {
            f"{package}/{path.relative_to(source).as_posix()}" for path in written_files if source in path.parents
        }
        assert len(expected) > 1
        assert {name for name in names if name.startswith(f"{package}/")} == expected


@pytest.mark.parametrize("package", PACKAGES)
def test_type_checkers_see_the_types(package: str, names: set[str]) -> None:
    assert f"{package}/py.typed" in names


def test_the_template_is_whole(names: set[str]) -> None:
    churn = {name.removeprefix("cloudml_templates/churn/") for name in names if "/churn/" in name}
    assert {"cloudml.toml", "README.md", "churn/pipeline.py", "churn/sql/customers.sql", "tests/test_churn.py"} <= churn


def test_entry_points(wheel: Path, names: set[str]) -> None:
    [place] = [name for name in names if name.endswith("entry_points.txt")]
    parser = configparser.ConfigParser()
    with zipfile.ZipFile(wheel) as archive:
        parser.read_string(archive.read(place).decode())
    assert dict(parser["console_scripts"]) == {"cloudml": "cloudml.cli:main"}
    assert dict(parser["cloudml.backends"]) == {
        "local": "cloudml_local:backend",
        "sagemaker": "cloudml_sagemaker:backend",
    }
    assert dict(parser["cloudml.mocks"]) == {
        "sagemaker": "cloudml_sagemaker.mock.port:mock",
        "vertex": "cloudml_vertex.mock.port:mock",
    }


def test_own_entry_points_known_without_a_scan_are_the_declared_ones(wheel: Path, names: set[str]) -> None:
    from cloudml import discovery

    [place] = [name for name in names if name.endswith("entry_points.txt")]
    parser = configparser.ConfigParser()
    with zipfile.ZipFile(wheel) as archive:
        parser.read_string(archive.read(place).decode())
    assert dict(parser[discovery.GROUP]) == discovery._OWN
    assert dict(parser[discovery.MOCKS]) == discovery._OWN_MOCKS


def test_the_sdist_can_be_tested_and_carries_no_leftovers(distributions: Path) -> None:
    with tarfile.open(next(distributions.glob("*.tar.gz"))) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert {"pyproject.toml", "LICENSE", "requirements/dev.txt", "tests/conftest.py"} <= names
    assert not [name for name in names if "__pycache__" in name or "_cache/" in name or ".cloudml/" in name]


SCRIPT = """
import importlib.metadata, pathlib, sys
import cloudml, cloudml_local, cloudml_sagemaker, cloudml_templates, cloudml_vertex
site = pathlib.Path(sys.argv[1])
for module in (cloudml, cloudml_local, cloudml_sagemaker, cloudml_templates, cloudml_vertex):
    assert site in pathlib.Path(module.__file__).parents, module.__file__
assert importlib.metadata.version("cloudml-pipelines") == cloudml.__version__
from cloudml.discovery import backends, load_backend, load_mock
assert load_backend("local") is cloudml_local.backend
assert [info.name for info in backends() if info.distribution == "cloudml-pipelines"] == ["local", "sagemaker"]
assert [load_mock(name).name for name in ("sagemaker", "vertex")] == ["sagemaker", "vertex"]
for name in cloudml.__all__:
    getattr(cloudml, name)
"""


def test_the_wheel_works_away_from_its_tree(installed: Path, tmp_path: Path, plain_environment: dict[str, str]) -> None:
    environment = {**plain_environment, "PYTHONPATH": str(installed)}
    command = [sys.executable, "-c", SCRIPT, str(installed)]
    done = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr


def test_the_wheel_makes_a_project(installed: Path, tmp_path: Path, plain_environment: dict[str, str]) -> None:
    environment = {**plain_environment, "PYTHONPATH": str(installed)}
    for arguments in (["init", "churn", "demo"], ["check", "--project", "demo"]):
        command = [sys.executable, "-m", "cloudml", *arguments]
        done = subprocess.run(
            command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=60, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
    assert (tmp_path / "demo" / "cloudml.toml").is_file()


def test_the_tests_run_against_this_tree(repository: Path) -> None:
    """An editable installation, or none: never a copy that was installed earlier."""
    import cloudml
    import cloudml_local
    import cloudml_sagemaker
    import cloudml_templates
    import cloudml_vertex

    modules = (cloudml, cloudml_local, cloudml_sagemaker, cloudml_vertex, cloudml_templates)
    for module, folder in zip(modules, PACKAGES.values(), strict=True):
        assert Path(str(module.__file__)).parent == repository / folder
