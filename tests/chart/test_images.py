"""The Dockerfiles of k8s/images, read; docs/images.md tells what was built of them, and how."""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from fnmatch import fnmatchcase
from itertools import takewhile
from pathlib import Path

import pytest
import yaml

from helm.tools.paths import ROOT
from serving.local.tritonserver import Installation, server_command

FOLDER = ROOT / "k8s" / "images"
FILES = sorted(FOLDER.glob("*.Dockerfile"))
PACKAGES = "/usr/local/lib/python3.11/site-packages"
KNOWN = {"ARG", "CMD", "COPY", "ENTRYPOINT", "ENV", "FROM", "LABEL", "RUN", "USER", "WORKDIR"}

OURS = re.compile(r"import (serving|features|loadtests)|, loadtests")

each_file = pytest.mark.parametrize("file", FILES, ids=lambda path: path.stem)


@dataclass(frozen=True)
class Instruction:
    """One instruction, continued lines joined."""

    name: str
    text: str

    @property
    def flags(self) -> dict[str, str]:
        """The options before the arguments, by name."""
        leading = takewhile(lambda word: word.startswith("--"), shlex.split(self.text))
        return dict(word[2:].split("=", 1) for word in leading)

    @property
    def arguments(self) -> list[str]:
        """What comes after the options."""
        return shlex.split(self.text)[len(self.flags) :]


def instructions(file: Path) -> list[Instruction]:
    """Of a Dockerfile without here-documents, which older builders do not know."""
    text = re.sub(r"^#.*\n", "", file.read_text(), flags=re.MULTILINE)
    lines = text.replace("\\\n", " ").splitlines()
    found = [Instruction(*line.split(maxsplit=1)) for line in lines if line.strip()]
    assert {one.name for one in found} <= KNOWN, file.name
    return found


def stages(file: Path) -> list[list[Instruction]]:
    """The instructions of each stage, from its FROM on."""
    out: list[list[Instruction]] = []
    for one in instructions(file):
        if one.name == "FROM":
            out.append([])
        if out:
            out[-1].append(one)
    return out


def bases(file: Path) -> list[str]:
    """The images that stages start from, build arguments at their defaults."""
    defaults: dict[str, str] = {}
    found: list[str] = []
    for one in instructions(file):
        if one.name == "ARG" and not found:
            name, _, default = one.text.partition("=")
            defaults[name] = default
        elif one.name == "FROM":
            argument = re.fullmatch(r"\$\{(\w+)\}", one.arguments[0])
            assert argument, f"{one.text}: a base must be a build argument, to give its digest"
            found.append(defaults[argument[1]])
    return found


def ignored(path: str) -> bool:
    """Whether .dockerignore keeps `path` from the builder: the last line that matches decides."""
    parts = Path(path).parts
    parents = ["/".join(parts[: n + 1]) for n in range(len(parts))]
    out = False
    for line in (ROOT / ".dockerignore").read_text().splitlines():
        pattern = line.removeprefix("!")
        if not pattern or pattern.startswith("#"):
            continue
        anywhere = pattern.removeprefix("**/")
        if anywhere != pattern:
            matches = any(fnmatchcase(part, anywhere) for part in parts)
        else:
            matches = any(
                fnmatchcase(parent, pattern) and parent.count("/") == pattern.count("/")
                for parent in parents
            )
        if matches:
            out = not line.startswith("!")
    return out


def test_there_is_an_image_for_each_role() -> None:
    names = [file.stem for file in FILES]
    assert names == ["model-server-gpu", "model-server", "serving", "training"]


@each_file
def test_every_base_has_a_tag_that_stays_and_can_be_given_a_digest(file: Path) -> None:
    for base in bases(file):
        name, _, tag = base.rpartition(":")
        assert "/" in name, f"{base}: without a registry it depends on the builder's settings"
        assert re.match(r"\d+\.\d+", tag), base


@each_file
def test_the_image_runs_as_a_user_by_number_and_nothing_is_done_after_that(file: Path) -> None:
    final = stages(file)[-1]
    names = [one.name for one in final]
    assert names.count("USER") == 1
    position = names.index("USER")
    assert final[position].text == "10001:10001"
    assert set(names[position + 1 :]) <= {"CMD", "ENTRYPOINT"}
    assert any("--uid 10001" in one.text for one in final if one.name == "RUN"), "Ray wants a name"


@each_file
def test_what_is_copied_exists_and_reaches_the_builder(file: Path) -> None:
    copies = [one for one in instructions(file) if one.name == "COPY" and "from" not in one.flags]
    assert copies
    for source in (source for one in copies for source in one.arguments[:-1]):
        found = list(ROOT.glob(source))
        assert found, f"{file.name}: {source}"
        for path in found:
            assert not ignored(path.relative_to(ROOT).as_posix()), path


@each_file
def test_stages_copy_from_stages_that_are_there(file: Path) -> None:
    named = {s[0].arguments[2] for s in stages(file) if len(s[0].arguments) == 3}
    copies = [one for one in instructions(file) if one.name == "COPY"]
    taken = {one.flags["from"] for one in copies if "from" in one.flags}
    assert taken == named


@each_file
def test_packages_come_from_the_locks_as_wheels_and_are_installed_in_an_earlier_stage(
    file: Path,
) -> None:
    first, *_, final = stages(file)
    installs = [one.text for one in first if "pip install" in one.text]
    assert installs
    for command in (part for text in installs for part in re.findall(r"pip install[^&]*", text)):
        assert "--only-binary=:all:" in command
        assert "--no-deps" in command or "-c dev.txt" in command, command
    assert not any("pip install" in one.text for one in final)
    assert "apt-get install" not in " ".join(one.text for one in first), "wheels need no compiler"


@each_file
def test_the_settings_of_the_package_index_do_not_stay_in_the_image(file: Path) -> None:
    for one in instructions(file):
        assert "index-url" not in one.text
        if "pip install" in one.text:
            assert "--mount=type=secret,id=pip,target=/etc/pip.conf" in one.text


@each_file
def test_code_lies_where_the_chart_looks_and_writes_no_bytecode(file: Path) -> None:
    final = stages(file)[-1]
    settings = dict(
        word.split("=", 1) for one in final if one.name == "ENV" for word in one.text.split()
    )
    assert settings["PYTHONPATH"].split(":")[0] == "/app"
    assert settings["PYTHONDONTWRITEBYTECODE"] == "1"
    assert [one.text for one in final if one.name == "WORKDIR"] == ["/app"]
    assert any("/opt/vitrine/tokenizer.json" in one.text for one in final)
    assert any("compileall" in one.text for stage in stages(file) for one in stage)


@pytest.mark.parametrize("name", ["serving", "model-server"])
def test_an_image_of_the_serving_path_is_not_built_with_torch(name: str) -> None:
    final = stages(FOLDER / f"{name}.Dockerfile")[-1]
    assert any("find_spec('torch') is None" in one.text for one in final if one.name == "RUN")


def test_training_has_the_torch_that_development_has() -> None:
    defaults = [
        one.text for one in instructions(FOLDER / "training.Dockerfile") if one.name == "ARG"
    ]
    (torch,) = (text.removeprefix("TORCH=") for text in defaults if text.startswith("TORCH="))
    locked = (ROOT / "requirements" / "torch.txt").read_text().strip()
    assert f"torch=={torch.split('+')[0]}" == locked


def test_the_gpu_image_says_that_nobody_has_measured_it() -> None:
    assert (FOLDER / "model-server-gpu.Dockerfile").read_text().startswith("# UNMEASURED")


def test_the_model_servers_images_have_a_wrapper_a_bundle_and_the_stub_of_their_python() -> None:
    for name, script in (
        ("model-server", "tritonserver"),
        ("model-server-gpu", "tritonserver-gpu"),
    ):
        final = " ".join(one.text for one in stages(FOLDER / f"{name}.Dockerfile")[-1])
        assert f"k8s/images/{script} /opt/vitrine/bin/tritonserver" in final
        assert "/app/serving/training/bundles /opt/vitrine/bundles" in final
    cpu = (FOLDER / "model-server.Dockerfile").read_text()
    (python,) = set(re.findall(r"python:(\d+\.\d+)-", cpu))
    assert f"python_backend_stubs/{python}/triton_python_backend_stub" in cpu


@pytest.fixture
def wrapper(tmp_path: Path) -> Path:
    """The CPU image's wrapper over a server that prints what it was given, and serves nothing."""
    packages = tmp_path / "site-packages"
    server = packages / "pytriton" / "tritonserver" / "bin" / "tritonserver"
    server.parent.mkdir(parents=True)
    server.write_text(
        f"#!{sys.executable}\nimport json, os, sys\n"
        "print(json.dumps([sys.argv[1:], dict(os.environ)]))\n"
    )
    server.chmod(0o755)
    out = tmp_path / "tritonserver"
    out.write_text((FOLDER / "tritonserver").read_text().replace(PACKAGES, str(packages)))
    out.chmod(0o755)
    return out


def test_the_wrapper_starts_the_server_as_it_is_started_on_one_machine(
    wrapper: Path, tmp_path: Path
) -> None:
    given = {"PATH": os.environ["PATH"], "VIRTUAL_ENV": "/v", "PYTHONHOME": "/h", "KEPT": "1"}
    given["PYTHONPATH"] = "/app"
    ours = ["--model-repository=/shared/models", "--load-model=ranker"]
    done = subprocess.run(
        [wrapper, *ours], env=given, capture_output=True, text=True, check=True, timeout=20
    )
    flags, environment = json.loads(done.stdout)

    packages = tmp_path / "site-packages"
    installation = Installation(
        Path("/usr/local/bin/python3"), packages, Path("/usr/local/lib"), packages / "stub"
    )
    for name, value in installation.environment(given).items():
        assert environment[name] == value, name
    assert not environment.keys() & {"VIRTUAL_ENV", "PYTHONHOME"}

    assert flags == ["--backend-directory=/opt/vitrine/backends", *ours]
    ports = {"HTTP": 1, "gRPC": 2, "metrics": 3}
    line = server_command(
        installation, tmp_path, tmp_path / "backends", ports, ["ranker"], "vitrine"
    )
    assert f"--backend-directory={tmp_path / 'backends'}" in line


def test_the_charts_model_server_is_started_with_its_flags_and_given_what_is_offered(
    tmp_path: Path,
) -> None:
    documents = yaml.safe_load_all((ROOT / "k8s" / "vitrine.yaml").read_text())
    (command,) = (
        container["command"]
        for each in documents
        if each and each["kind"] == "Deployment"
        for container in each["spec"]["template"]["spec"]["containers"]
        if container["name"] == "triton"
    )
    for name in ("tritonserver", "python"):
        script = tmp_path / name
        script.write_text(
            f'#!/bin/sh\nfor one in "$@"; do echo "$one" >> {tmp_path}/{name}.txt; done'
        )
        script.chmod(0o755)
    line = command[2].replace("/opt/vitrine/bin/", f"{tmp_path}/")
    given = {"PATH": f"{tmp_path}:{os.environ['PATH']}"}
    subprocess.run([*command[:2], line, *command[3:]], env=given, check=True, timeout=20)
    flags = (tmp_path / "tritonserver.txt").read_text().splitlines()
    assert flags == command[4:]
    assert "--load-model=ranker" in flags
    told = tmp_path / "python.txt"  # it runs beside the server
    loads = [
        "-m", "serving.training.publish", "load", "--repository=/shared/models",
        "--reload=http://127.0.0.1:8000", "--wait=600",
    ]  # fmt: skip
    deadline_s = time.monotonic() + 10
    while not told.is_file() or told.read_text().splitlines() != loads:
        assert time.monotonic() < deadline_s
        time.sleep(0.05)


def test_wrappers_may_be_started_and_hand_signals_on() -> None:
    for name in ("tritonserver", "tritonserver-gpu"):
        path = FOLDER / name
        assert os.access(path, os.X_OK)
        last = path.read_text().replace("\\\n", " ").splitlines()[-1]
        assert last.startswith("exec ")
        assert last.endswith('"$@"')


@pytest.mark.parametrize(
    "path",
    [
        ".git/config",
        ".venv/bin/python",
        ".venv-dev/bin/python",
        ".venv-triton/bin/python",
        ".vitrine/grocery/pseudonym.key",
        "build/bundle/head.onnx",
        "pseudonym.key",
        "serving/local/server.key",
        "features/__pycache__/views.cpython-311.pyc",
        "tests/unit/test_auth.py",
        "helm/values.yaml",
        "keys.json",
        ".env",
    ],
)
def test_what_no_image_needs_does_not_reach_the_builder(path: str) -> None:
    assert ignored(path)


@each_file
def test_the_code_that_is_copied_is_all_that_the_image_s_own_checks_import(
    file: Path, tmp_path: Path
) -> None:
    (code,) = (stage for stage in stages(file) if stage[0].arguments[-1] == "code")
    for one in (one for one in code if one.name == "COPY"):
        *sources, target = one.arguments
        for path in (path for source in sources for path in ROOT.glob(source)):
            into = tmp_path / target
            if path.is_dir():
                shutil.copytree(path, into, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                into.mkdir(parents=True, exist_ok=True)
                shutil.copy(path, into)
    runs = " ".join(one.text for one in stages(file)[-1] if one.name == "RUN")
    checks = [text for text in re.findall(r'python -c "([^"]*)"', runs) if OURS.search(text)]
    assert checks
    for check in checks:
        done = subprocess.run(
            [sys.executable, "-c", check], cwd=tmp_path, env={**os.environ, "PYTHONPATH": ""},
            capture_output=True, text=True, timeout=110, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
