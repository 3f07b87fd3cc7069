"""How fast one core can multiply and add at all: the best float32 matrix product on one thread."""

from __future__ import annotations

import json
import os
import subprocess
import sys

_CODE = """
import json, time
import numpy as np
best = 0.0
for n in (256, 384, 512, 768):
    a = np.random.default_rng(0).standard_normal((n, n), np.float32)
    b = a.T.copy()
    out = a @ b
    for _ in range(12):
        began = time.perf_counter()
        np.matmul(a, b, out=out)
        best = max(best, n**3 / (time.perf_counter() - began))
try:
    from threadpoolctl import threadpool_info
    kernel = ", ".join(f"{p['internal_api']} {p.get('version')} {p.get('architecture', '')}" for p in threadpool_info())
except ImportError:
    kernel = str(np.show_config(mode="dicts")["Build Dependencies"]["blas"].get("openblas configuration", "unknown"))
print(json.dumps({"peak": best, "kernel": kernel}))
"""


def peak() -> tuple[float, str]:
    """Multiply-adds per second, and the kernel that reached them."""
    env = {k: v for k, v in os.environ.items() if k not in ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE")}
    env |= {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "VECLIB_MAXIMUM_THREADS": "1"}
    done = subprocess.run([sys.executable, "-c", _CODE], env=env, capture_output=True, text=True, check=True)
    found = json.loads(done.stdout)
    return float(found["peak"]), str(found["kernel"])
