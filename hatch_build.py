"""What a wheel gets beside the packages: the compiled data plane, and the files that the broker serves to browsers.

Modules with a `.pxd` beside them are compiled from the very same Python source, with the types that the `.pxd` states.
A `.pyx` is a handful of functions that have a twin in Python. `SWARMWIRE_PURE=1` while building leaves all of it out,
and so does a machine without a compiler: the Python runs as it is.
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

__all__ = ["Additions", "compile_into", "main", "sources"]

AREAS = ("protocol", "broker")

FOR_BROWSERS = {
    "broker/dashboard": "swarmwire_broker/static/dashboard",
    "client/js/src": "swarmwire_broker/static/sdk",
}

_NOT_BUILT = "swarmwire: built without its compiled modules, its Python runs as it is ({})"

_DIRECTIVES = {
    "language_level": "3",
    "annotation_typing": False,  # annotations are for readers and mypy; C types are stated in the .pxd
    "binding": False,
    "embedsignature": True,
}


class Additions(BuildHookInterface[Any]):
    """Adds to the wheel the files for browsers and the compiled modules; an editable install has these in its tree."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        if self.target_name != "wheel":
            return
        root = Path(self.root)
        if version != "editable":  # a checkout serves them from where they are
            build_data["force_include"] |= {str(root / source): target for source, target in FOR_BROWSERS.items()}
        if not os.environ.get("SWARMWIRE_PURE"):
            self._compile(root, version, build_data)

    def _compile(self, root: Path, version: str, build_data: dict[str, Any]) -> None:
        target = root if version == "editable" else Path(tempfile.mkdtemp(prefix="swarmwire-build-"))
        try:
            built = compile_into(root, target)
        except Exception as problem:  # no compiler, no headers: every one of them means the same
            self.app.display_warning(_NOT_BUILT.format(problem))
            return
        build_data["pure_python"] = False
        build_data["infer_tag"] = True
        if version != "editable":
            for path in built:
                build_data["force_include"][str(path)] = str(path.relative_to(target))


def sources(root: Path) -> list[Path]:
    """What is compiled: each `.pyx`, and each `.py` that has a `.pxd`, without what has neither."""
    found = []
    for area in AREAS:
        for path in sorted((root / area).rglob("*.p[xy][dx]")):
            twin = path.with_suffix(".py")
            if path.suffix == ".pyx":
                found.append(path)
            elif twin.exists():
                found.append(twin)
    return found


def compile_into(root: Path, target: Path) -> list[Path]:
    """Compile all `sources` of the tree; the modules lie under `target` as they lie under their area.

    For `target` the root itself they lie beside their sources.
    """
    from Cython.Build import cythonize
    from setuptools import Distribution, Extension

    os.chdir(root)
    work = root / ".build" if target == root else target / ".build"  # kept beside the sources: what is new is compiled
    extensions = [
        Extension(_module(root, path), [str(path.relative_to(root))], extra_compile_args=_flags())
        for path in sources(root)
    ]
    modules = cythonize(  # type: ignore[no-untyped-call]
        extensions,
        build_dir=str(work / "c"),
        include_path=[str(root / area) for area in AREAS],
        compiler_directives=_DIRECTIVES,
        quiet=True,
    )
    command = Distribution({"ext_modules": modules}).get_command_obj("build_ext")
    command.build_temp = str(work / "o")
    command.build_lib = str(work / "lib")
    command.parallel = os.cpu_count()
    command.ensure_finalized()
    command.run()
    return [_place(Path(path), work / "lib", root, target) for path in command.get_outputs()]


def _module(root: Path, path: Path) -> str:
    return ".".join(path.relative_to(root).with_suffix("").parts[1:])


def _flags() -> list[str]:
    return (
        [] if sys.platform == "win32" else ["-O2", "-fno-strict-overflow", "-Wno-unused-function", "-Wno-array-bounds"]
    )


def _place(built: Path, library: Path, root: Path, target: Path) -> Path:
    inside = built.relative_to(library)
    area = next(area for area in AREAS if (root / area / inside.parts[0]).is_dir())
    place = target / area / inside if target == root else target / inside
    place.parent.mkdir(parents=True, exist_ok=True)
    staged = place.with_suffix(".new")  # a process may have the old one mapped: replace it, never write into it
    staged.write_bytes(built.read_bytes())
    staged.replace(place)
    return place


def main() -> None:
    """Compile the tree this file lies in, where that is possible; what was compiled of other sources is taken away."""
    root = Path(__file__).resolve().parent
    built: list[Path] = []
    try:
        built = compile_into(root, root)
    except Exception as problem:
        print(_NOT_BUILT.format(problem), file=sys.stderr)
    for area in AREAS:
        for path in (root / area).rglob("*"):
            if path.suffix in (".so", ".pyd") and path not in built:
                path.unlink()


if __name__ == "__main__":
    main()
