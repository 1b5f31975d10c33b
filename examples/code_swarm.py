"""A swarm that reads code: worker processes report what they find in Python files, a watcher shows it.

    python examples/code_swarm.py DIR

Everything it consists of is in the package `codeswarm` beside this file.
"""

import runpy

__all__: list[str] = []

if __name__ == "__main__":
    runpy.run_module("codeswarm", run_name="__main__", alter_sys=True)
