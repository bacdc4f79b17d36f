"""The same bits elsewhere: on other days and machines, and on processors of other makers and years.

The latter are emulated by QEMU (Debian and Ubuntu: ``qemu-user``). ``digests.json`` is what
``bits.py`` gave when it was last committed; it changes with the code that trains, knowingly, by
``make bits``.
"""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from bits import digests

from dropout_bench.training.keys import LIBRARIES

HERE = Path(__file__).parent
COMMITTED = json.loads((HERE / "digests.json").read_text())
EMULATOR = shutil.which("qemu-x86_64") or shutil.which("qemu-x86_64-static")
CPUS = {"Intel, 2013": "Haswell", "AMD, 2019": "EPYC-Rome"}


@pytest.fixture(scope="module")
def native(raw: Path) -> dict[str, str]:
    return digests(raw)


def test_every_variant_trains_to_the_bits_of_the_last_time(native: dict[str, str]) -> None:
    for name in ("device", *LIBRARIES):
        if native[name] != COMMITTED[name]:
            pytest.skip(f"{name} is {native[name]}, not {COMMITTED[name]}: the bits may differ")
    # A variant that is new has none yet.
    other = [name for name, digest in COMMITTED.items() if native.get(name) != digest]
    assert not other, f"other bits than last time: {', '.join(other)}; if that is meant: make bits"


@pytest.mark.slow
@pytest.mark.skipif(EMULATOR is None, reason="no qemu-x86_64 (Debian and Ubuntu: qemu-user)")
@pytest.mark.parametrize("cpu", CPUS.values(), ids=CPUS)
def test_every_variant_trains_to_the_same_bits_on_another_processor(
    cpu: str, native: dict[str, str], raw: Path
) -> None:
    assert EMULATOR is not None
    assert "oneDNN-AVX2" in native["device"]
    command = [EMULATOR, "-cpu", cpu, sys.executable, str(HERE / "bits.py"), str(raw)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=900)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == native
