"""dropout-bench: what tutorials say about dropout, as experiments anyone can re-run.

Importing the package pins the numeric environment (see :mod:`dropout_bench.numerics`) and makes
torchvision importable beside a CPU-only torch (see :mod:`dropout_bench.torchvision_schemas`), so
import it before torch. It imports neither itself: ``dropout-bench --help`` stays quick.
"""

from dropout_bench import numerics, torchvision_schemas

numerics.pin_environment()
torchvision_schemas.declare_when_needed()

__version__ = "0.1.0"
