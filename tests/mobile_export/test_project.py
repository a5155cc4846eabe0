"""Sample projects: what is written is complete, parses, and computes as our Python does."""

import glob
import json
import os
import re
import shutil
import subprocess
import tomllib
import xml.etree.ElementTree as ET
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tree_sitter
import tree_sitter_kotlin
import tree_sitter_swift

from app.capture.preprocess import fit_image as app_fit_image
from app.export.images import color_depth
from app.geometry import decode_pose, invert_se3, transform_points, unproject_depth
from app.reconstruction.cloud import confidence_rank, depth_edges
from fgq.files import file_sha256
from mobile_export.bundle import BundleError
from mobile_export.cli import main
from mobile_export.golden import fit_image, golden_vectors
from mobile_export.project import PLATFORMS, RECORD, Platform, write_project

ROOT = Path(__file__).parents[2]
TEMPLATES = ROOT / "mobile_export"
LANGUAGES = {
    ".kt": tree_sitter_kotlin,
    ".kts": tree_sitter_kotlin,
    ".swift": tree_sitter_swift,
}
BUNDLES = {"android": "app/src/main/assets/bundles", "ios": "Bundles"}

MakeBundle = Callable[..., Path]


@pytest.fixture
def make_bundle(tmp_path: Path) -> MakeBundle:
    """A bundle of a program that nobody runs; arguments replace entries of its manifest."""

    def make(name: str = "bundle", **changes: Any) -> Path:
        folder = tmp_path / name
        folder.mkdir()
        program = folder / "model.pte"
        program.write_bytes(name.encode())
        manifest = {
            "format": "pocket-vggt-bundle",
            "format_version": 1,
            "model": {"name": "tiny | model", "license": "none", "parameters": 1},
            "quantization": {"name": "8da4w-g32"},
            "backend": "xnnpack",
            "input": {"height": 28, "width": 42, "range": [0, 1]},
            "methods": {"1": "forward_s1", "2": "forward_s2"},
            "outputs": ["pose_enc", "depth", "depth_conf"],
            "files": {
                "model.pte": {"sha256": file_sha256(program), "bytes": program.stat().st_size}
            },
            "runtime": {"executorch": "1.2.3+cpu"},
        }
        (folder / "manifest.json").write_text(json.dumps(manifest | changes))
        return folder

    return make


@pytest.fixture(params=PLATFORMS)
def platform(request: pytest.FixtureRequest) -> Platform:
    return request.param


@pytest.fixture
def project(platform: Platform, make_bundle: MakeBundle, tmp_path: Path) -> Path:
    """The project of a platform with two bundles."""
    other = make_bundle("other", quantization={"name": "fp32"}, methods={"2": "forward_s2"})
    write_project(platform, make_bundle(), tmp_path / "project", other)
    return tmp_path / "project"


@pytest.fixture(scope="module")
def golden() -> dict[str, Any]:
    return golden_vectors()


def texts(folder: Path) -> dict[Path, str]:
    """All text files of a project."""
    return {
        path.relative_to(folder): path.read_text("utf-8")
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.suffix != ".pte"
    }


def syntax_errors(path: Path) -> list[str]:
    source = path.read_bytes()
    language = tree_sitter.Language(LANGUAGES[path.suffix].language())
    waiting = [tree_sitter.Parser(language).parse(source).root_node]
    errors = []
    while waiting:
        node = waiting.pop()
        if node.is_error or node.is_missing:
            errors.append(f"{path}:{node.start_point[0] + 1}: {node.type}")
        waiting += node.children
    return errors


# What is written.


def test_a_project_holds_its_template_and_its_bundles(
    project: Path, platform: Platform, tmp_path: Path
) -> None:
    for source in (TEMPLATES / platform).rglob("*"):
        name = ".gitignore" if source.name == "gitignore" else source.name
        relative = source.relative_to(TEMPLATES / platform).with_name(name)
        assert (project / relative).is_dir() == source.is_dir(), relative
        assert (project / relative).exists(), relative
    for role, bundle in (("main", "bundle"), ("compare", "other")):
        for name in ("manifest.json", "model.pte"):
            copy = project / BUNDLES[platform] / role / name
            assert copy.read_bytes() == (tmp_path / bundle / name).read_bytes()
    record = json.loads((project / RECORD).read_text())
    assert record["platform"] == platform
    assert record["bundles"]["compare"]["views"] == [2]


def test_without_a_second_bundle_there_is_none(
    platform: Platform, make_bundle: MakeBundle, tmp_path: Path
) -> None:
    write_project(platform, make_bundle(), tmp_path / "project")
    assert [path.name for path in (tmp_path / "project" / BUNDLES[platform]).iterdir()] == ["main"]


def test_placeholders_are_filled_in(project: Path) -> None:
    for path, text in texts(project).items():
        assert not re.search(r"@[A-Z_]+@", text), path
    assert "1.2.3" in (project / "README.md").read_text()
    assert "tiny model (fp32)" in (project / "README.md").read_text()


def test_the_runtime_is_that_of_the_exporter(make_bundle: MakeBundle, tmp_path: Path) -> None:
    bundle = make_bundle()
    for platform in PLATFORMS:
        write_project(platform, bundle, tmp_path / platform)
    catalogue = tomllib.loads((tmp_path / "android/gradle/libs.versions.toml").read_text())
    assert catalogue["versions"]["executorch"] == "1.2.3"
    assert catalogue["libraries"]["executorch"]["version"] == {"ref": "executorch"}
    project = (tmp_path / "ios/PocketVGGT.xcodeproj/project.pbxproj").read_text()
    assert 'branch = "swiftpm-1.2.3";' in project


def test_sources_parse(project: Path) -> None:
    sources = [path for path in project.rglob("*") if path.suffix in LANGUAGES]
    assert len(sources) > 10
    assert [error for path in sources for error in syntax_errors(path)] == []


def test_a_syntax_error_would_be_seen(tmp_path: Path) -> None:
    for name in ("a.kt", "a.swift"):
        (tmp_path / name).write_text("func f( {")
        assert syntax_errors(tmp_path / name)


def test_data_parses(project: Path) -> None:
    kinds = {".xml": ET.fromstring, ".xcscheme": ET.fromstring, ".json": json.loads}
    kinds[".toml"] = tomllib.loads
    for path, text in texts(project).items():
        if path.suffix in kinds:
            kinds[path.suffix](text.encode() if "<?xml" in text else text)


def test_what_android_code_names_is_in_its_resources(
    make_bundle: MakeBundle, tmp_path: Path
) -> None:
    write_project("android", make_bundle(), tmp_path / "project")
    files = texts(tmp_path / "project/app")
    code = "".join(text for path, text in files.items() if path.suffix == ".kt")
    layout = files[Path("src/main/res/layout/main.xml")]
    strings = files[Path("src/main/res/values/strings.xml")]
    known = {
        "id": set(re.findall(r'"@\+id/(\w+)"', layout)),
        "string": set(re.findall(r'<string name="(\w+)"', strings)),
        "layout": {"main"},
    }
    used = set(re.findall(r"\bR\.(\w+)\.(\w+)", code))
    used |= {("string", name) for name in re.findall(r'"@string/(\w+)"', "".join(files.values()))}
    assert {kind for kind, _ in used} == set(known)
    assert all(name in known[kind] for kind, name in used), used
    assert known["id"] <= {name for kind, name in used if kind == "id"}
    assert known["string"] <= {name for kind, name in used if kind == "string"}
    libraries = tomllib.loads((tmp_path / "project/gradle/libs.versions.toml").read_text())
    for script in (path for path in (tmp_path / "project").rglob("*.kts")):
        for kind, name in re.findall(r"\blibs\.(?:(plugins)\.)?([\w.]+)", script.read_text()):
            assert name.replace(".", "-") in libraries[kind or "libraries"], name


def test_every_object_of_the_xcode_project_is_defined_once() -> None:
    text = (TEMPLATES / "ios/PocketVGGT.xcodeproj/project.pbxproj").read_text()
    defined = re.findall(r"^\t\t(A[0-9A-F]{23})[^\n]* = \{$", text, re.MULTILINE)
    assert len(defined) == len(set(defined))
    assert set(re.findall(r"\bA[0-9A-F]{23}\b", text)) == set(defined)
    assert text.count("{") == text.count("}")
    assert text.count("(") == text.count(")")
    for path in re.findall(r"\bpath = ([\w.]+);\n\t\t\tsourceTree = \"<group>\"", text):
        assert path == "Bundles" or (TEMPLATES / "ios" / path).exists(), path


def test_what_is_tested_without_a_phone_needs_none() -> None:
    for path in (TEMPLATES / "android/core/src/main").rglob("*.kt"):
        imports = re.findall(r"^import (\S+)", path.read_text(), re.MULTILINE)
        # org.json is Android's own and on Maven.
        assert all(name.startswith(("kotlin.", "java.", "org.json.")) for name in imports), path
    for path in (TEMPLATES / "ios/Core/Sources").rglob("*.swift"):
        imports = re.findall(r"^import (\S+)", path.read_text(), re.MULTILINE)
        assert set(imports) <= {"Foundation"}, path


def test_templates_are_in_a_wheel() -> None:
    configuration = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]
    patterns = configuration["package-data"]["mobile_export"]
    # Like those of a wheel, these patterns leave out names that begin with a dot.
    packed = {
        TEMPLATES / name
        for pattern in patterns
        for name in glob.glob(pattern, root_dir=TEMPLATES, recursive=True)
    }
    for platform in PLATFORMS:
        files = {path for path in (TEMPLATES / platform).rglob("*") if path.is_file()}
        assert files <= packed


# What stops one.


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"backend": "vulkan"}, "XNNPACK"),
        ({"outputs": ["pose_enc"]}, "depth head"),
        ({"input": {"height": 28, "width": 28, "range": [0, 1]}}, "input sizes"),
        ({"methods": {"4": "forward_s4"}}, "views in common"),
        ({"runtime": {"executorch": "1.2.4"}}, "versions of the runtime"),
    ],
)
def test_bundles_that_do_not_fit_are_refused(
    changes: dict[str, Any], message: str, make_bundle: MakeBundle, tmp_path: Path
) -> None:
    with pytest.raises(ValueError, match=message):
        write_project("ios", make_bundle(), tmp_path / "project", make_bundle("other", **changes))
    assert not (tmp_path / "project").exists()


def test_a_strange_version_is_refused(make_bundle: MakeBundle, tmp_path: Path) -> None:
    bundle = make_bundle(runtime={"executorch": '1.2"; x'})
    with pytest.raises(ValueError, match="version"):
        write_project("android", bundle, tmp_path / "project")


def test_a_file_outside_of_the_bundle_is_refused(make_bundle: MakeBundle, tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(b"x")
    files = {"../secret": {"sha256": file_sha256(tmp_path / "secret"), "bytes": 1}}
    with pytest.raises(ValueError, match="outside"):
        write_project("android", make_bundle(files=files), tmp_path / "project")


@pytest.mark.parametrize("entry", ["files", "methods", "input"])
def test_an_empty_entry_is_refused(entry: str, make_bundle: MakeBundle, tmp_path: Path) -> None:
    with pytest.raises((BundleError, ValueError)):
        write_project("android", make_bundle(**{entry: {}}), tmp_path / "project")


def test_a_damaged_bundle_is_refused(make_bundle: MakeBundle, tmp_path: Path) -> None:
    bundle = make_bundle()
    (bundle / "model.pte").write_bytes(b"other")
    with pytest.raises(BundleError, match=r"model\.pte"):
        write_project("android", bundle, tmp_path / "project")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bundle"]


def test_only_an_earlier_project_is_replaced(
    project: Path, platform: Platform, make_bundle: MakeBundle, tmp_path: Path
) -> None:
    (project / "own.txt").write_text("x")
    write_project(platform, make_bundle("next"), project)
    assert not (project / "own.txt").exists()
    (project / RECORD).unlink()
    with pytest.raises(FileExistsError, match="something else"):
        write_project(platform, tmp_path / "next", project)
    assert (project / "README.md").exists()


def test_a_place_that_cannot_be_written_is_named_as_it_was_given(
    make_bundle: MakeBundle, tmp_path: Path
) -> None:
    out = tmp_path / "file" / "project"
    out.parent.write_text("not a folder")
    with pytest.raises(OSError, match=rf"^{re.escape(str(out))}: cannot be written: Not a dir"):
        write_project("android", make_bundle(), out)


def test_command(make_bundle: MakeBundle, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    bundle, out = str(make_bundle()), str(tmp_path / "project")
    assert main(["project", "android", bundle, "--out", out]) == 0
    assert out in capsys.readouterr().out
    assert main(["project", "ios", str(tmp_path / "none"), "--out", out]) == 2
    assert capsys.readouterr().err.startswith("error: ")
    assert json.loads((tmp_path / "project" / RECORD).read_text())["platform"] == "android"


# Golden vectors: the desktop app's results are the truth.


def test_projects_carry_the_golden_vectors(project: Path, golden: dict[str, Any]) -> None:
    (path,) = project.rglob("golden.json")
    assert json.loads(path.read_text()) == golden


def test_images_are_fitted_as_in_the_app() -> None:
    rng = np.random.default_rng(1)
    for height, width, size in ((120, 160, (28, 42)), (96, 72, (28, 42)), (97, 131, (56, 28))):
        image = rng.integers(0, 256, (height, width, 3), np.uint8)
        ours, theirs = fit_image(image, size).astype(int), app_fit_image(image, size).astype(int)
        # OpenCV sums in 32 bit and may round up where ours rounds to even.
        assert np.abs(ours - theirs).max() <= 1
        assert (ours != theirs).mean() < 0.02
    with pytest.raises(ValueError, match="too small"):
        fit_image(image, (98, 28))


def test_golden_frames_cover_rotations_and_ties(golden: dict[str, Any]) -> None:
    cases = golden["preprocess"]
    assert [case["rotation"] for case in cases] == [0, 90, 180, 270]
    for case in cases:
        frame = np.array(case["bytes"], np.uint8).reshape(case["height"], case["row_stride"])
        pixels = frame[:, : 4 * case["width"]].reshape(case["height"], case["width"], 4)[..., :3]
        upright = np.ascontiguousarray(np.rot90(pixels, -case["rotation"] // 90))
        size = (case["target_height"], case["target_width"])
        theirs = app_fit_image(upright, size).astype(int)
        assert np.abs(np.reshape(case["rgb"], theirs.shape) - theirs).max() <= 1
    planar = golden["planar"]
    images = np.reshape(planar["images"], (2, -1, 3))
    np.testing.assert_allclose(
        planar["expected"], images.transpose(0, 2, 1).ravel() / 255, rtol=1e-6
    )


def test_golden_geometry_is_the_apps(golden: dict[str, Any]) -> None:
    poses = golden["poses"]
    code = np.reshape(poses["pose_enc"], (-1, 9))
    extrinsic, intrinsic = decode_pose(code, (poses["height"], poses["width"]))
    np.testing.assert_allclose(poses["extrinsic"], extrinsic.ravel(), atol=1e-6)
    entries = np.stack([intrinsic[:, i, j] for i, j in ((0, 0), (1, 1), (0, 2), (1, 2))], 1)
    np.testing.assert_allclose(poses["intrinsic"], entries.ravel(), rtol=1e-6)

    points = golden["points"]
    size = (points["height"], points["width"])
    extrinsic, intrinsic = decode_pose(np.array(points["pose_enc"]), size)
    camera = unproject_depth(np.reshape(points["depth"], size), intrinsic)
    world = transform_points(invert_se3(extrinsic), camera)
    np.testing.assert_allclose(points["points"], world.ravel(), atol=1e-6)


def test_golden_confidence_edges_and_colours_are_the_apps(golden: dict[str, Any]) -> None:
    confidence = golden["confidence"]
    values = np.array(confidence["values"], np.float32)
    assert len(np.unique(values)) == len(values)
    rank = confidence_rank(values[None])[0]
    for i, quantile in enumerate(confidence["quantiles"]):
        kept = values[rank >= 255 * quantile]
        assert len(kept) == confidence["kept"][i]
        assert kept.min() == np.float32(confidence["thresholds"][i])

    edges = golden["edges"]
    depth = np.reshape(edges["depth"], (-1, edges["width"])).astype(np.float32)
    assert depth_edges(depth).ravel().tolist() == edges["edges"]
    assert 0 < sum(edges["edges"]) < len(edges["edges"])

    colors = golden["colors"]
    near, far = np.quantile(colors["range_of"], (0.02, 0.98))
    np.testing.assert_allclose((colors["near"], colors["far"]), (near, far))
    shown = color_depth(np.array(colors["depth"])[None], near, far)
    assert shown.ravel().tolist() == colors["rgb"]


@pytest.mark.slow
def test_kotlin_computes_as_our_python(make_bundle: MakeBundle, tmp_path: Path) -> None:
    """Compile the project's core and run its unit tests, golden vectors among them.

    Needs Java, a Kotlin compiler (`kotlinc`, or in the folder KOTLIN_HOME: npm's kotlin-compiler
    has one) and Debian's junit4 and libandroid-json-org-java.
    """
    home = os.environ.get("KOTLIN_HOME")
    compiler = f"{home}/bin/kotlinc" if home else shutil.which("kotlinc")
    names = ("junit4.jar", "hamcrest-core.jar", "json-android.jar")
    jars = [Path("/usr/share/java") / name for name in names]
    missing = [str(jar) for jar in jars if not jar.exists()]
    if compiler is None or shutil.which("java") is None or missing:
        pytest.skip(f"no Kotlin compiler (KOTLIN_HOME), no java or no {' '.join(missing)}")
    write_project("android", make_bundle(), tmp_path / "project")
    core = tmp_path / "project/core"
    program = tmp_path / "core.jar"
    sources = [str(core / "src/main/kotlin"), str(core / "src/test/kotlin")]
    path = os.pathsep.join(map(str, jars))
    command = ["bash", compiler, "-include-runtime", "-cp", path, "-d", str(program), *sources]
    subprocess.run(command, check=True, timeout=600)
    path = os.pathsep.join([path, str(program), "src/test/resources"])
    tests = ["org.pocketvggt.core.GoldenTest", "org.pocketvggt.core.CoreTest"]
    command = ["java", "-cp", path, "org.junit.runner.JUnitCore", *tests]
    result = subprocess.run(command, cwd=core, capture_output=True, text=True, timeout=600)
    assert result.returncode == 0, result.stdout
    assert re.search(r"OK \(\d\d tests\)", result.stdout)
