from __future__ import annotations

import importlib
import pkgutil
from types import ModuleType

import pytest

import swarmwire_channels

MODULES = [
    importlib.import_module(f"swarmwire_channels.{info.name}")
    for info in pkgutil.iter_modules(swarmwire_channels.__path__)
]


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.__name__)
def test_what_a_module_exports_is_there_and_public(module: ModuleType) -> None:
    assert len(set(module.__all__)) == len(module.__all__)
    assert all(hasattr(module, name) and not name.startswith("_") for name in module.__all__)


def test_the_package_exports_what_it_imports_and_nothing_twice() -> None:
    exported = swarmwire_channels.__all__
    modules = {module.__name__.rpartition(".")[2] for module in MODULES}
    public = {name for name in vars(swarmwire_channels) if not name.startswith("_")} - modules
    assert set(exported) == public
    assert len(exported) == len(public)
