"""The same bits on processors of other makers and years, emulated by QEMU (``qemu-user``)."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from dropout_bench.params import VARIANTS

EMULATOR = shutil.which("qemu-x86_64") or shutil.which("qemu-x86_64-static")
CPUS = {"Intel, 2013": "Haswell", "AMD, 2019": "EPYC-Rome"}
TRAIN_EVERY_VARIANT = """
import hashlib, json, sys, warnings
from pathlib import Path
import dropout_bench
from dropout_bench.params import VARIANTS, WITHOUT_DROPOUT, Experiment
from dropout_bench.training.run import train, device_in_use

warnings.simplefilter("ignore")
raw = Path(sys.argv[1])
settings = dict(
    dataset="mnist", train_size=200, validation=0.2, hidden=[24, 16], learning_rate=1e-2,
    batch_size=32, epochs=2, seeds=[0], input_noise=0.1, shift=1, max_norm=2.0, l1=1e-5,
    l2=1e-4, learning_rate_decay="linear",
)
digests = {"device": device_in_use()}
for variant in sorted(VARIANTS):
    without = variant in {"standard", *WITHOUT_DROPOUT.values()}
    rates = [0.0] if without else ["0.5/0.3"]
    experiment = Experiment.model_validate(settings | {"variants": [variant], "dropout": rates})
    (run,) = experiment.runs()
    files = train(run, raw, None, False).files
    digest = hashlib.sha256(b"".join(files[name] for name in sorted(files)))
    digests[run.variant] = digest.hexdigest()
print(json.dumps(digests))
"""


def digests(raw: Path, *emulated: str) -> dict[str, str]:
    command = [*emulated, sys.executable, "-c", TRAIN_EVERY_VARIANT, str(raw)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=900)
    assert done.returncode == 0, done.stderr
    found: dict[str, str] = json.loads(done.stdout.splitlines()[-1])
    return found


@pytest.fixture(scope="module")
def native(raw: Path) -> dict[str, str]:
    return digests(raw)


@pytest.mark.slow
@pytest.mark.skipif(EMULATOR is None, reason="no qemu-x86_64 (Debian and Ubuntu: qemu-user)")
@pytest.mark.parametrize("cpu", CPUS.values(), ids=CPUS)
def test_every_variant_trains_to_the_same_bits(cpu: str, native: dict[str, str], raw: Path) -> None:
    assert EMULATOR is not None
    assert set(native) == {"device", *VARIANTS}
    assert "oneDNN-AVX2" in native["device"]
    emulated = digests(raw, EMULATOR, "-cpu", cpu)
    assert emulated == native
