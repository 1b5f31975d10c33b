"""Everything at once, to be looked at: a broker with its dashboard, and a swarm that lives on it.

    python examples/demo.py [DIR]

Agents register, take tasks, fail now and then, report how they are, come and go; two swarms vote and decide; some
clients read, ask and answer over every transport; and the code swarm reads the Python files below DIR, again and again.
The address to open in a browser is printed. Ctrl-C ends all of it.

Everything it consists of is in the package `livingswarm` beside this file.
"""

import runpy

__all__: list[str] = []

if __name__ == "__main__":
    runpy.run_module("livingswarm", run_name="__main__", alter_sys=True)
