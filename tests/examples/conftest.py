"""The examples are no installed package: their tests find them beside the tests, however pytest was started."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))
