"""`python -m benchmarks`: what listening with a model costs on this machine, beside the aims.

Other work on the machine makes every figure worse; CPU time suffers less than wall time.
"""

from __future__ import annotations

import argparse
import platform

from benchmarks import callback, floor, operations, process, stages
from spotter.manifest import STREAM_NETWORK, WINDOW_NETWORK
from spotter.model import Model
from spotter.settings import SAMPLE_RATE


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--model", default="commands", help="name or folder (default: %(default)s)")
    parser.add_argument("--backend", choices=("auto", "litert", "numpy"), default="auto")
    options = parser.parse_args()
    model = Model.open(options.model, backend=options.backend)
    print(
        f"{model.name} on {model.backend}, {platform.machine()} {platform.system()}, Python {platform.python_version()}"
    )

    window = (model.folder / WINDOW_NETWORK).read_bytes()
    per_window = operations.multiply_adds(window)
    sizes = ", ".join(f"{f.name} {f.stat().st_size / 1_024:.0f} KiB" for f in sorted(model.folder.glob("*.tflite")))
    print(f"size: {sizes}; {per_window / 1e6:.2f} million multiply-adds for a whole window")

    hops = [hop_ms for hop_ms in (100.0, 20.0) if not (hop_ms * SAMPLE_RATE / 1_000) % model.step]
    for hop_ms in hops:
        cost = stages.poured(model, hop_ms)
        print(f"poured, hop {hop_ms:.0f} ms: {cost:.3%} of a core (aim: 0.3%)")
    for hop_ms in hops:
        aim = " (aim: 1%)" if hop_ms == 100.0 else ""
        cost = stages.at_real_time_pace(model, hop_ms)
        print(f"real-time pace, hop and blocks of {hop_ms:.0f} ms: {cost:.3%} of a core{aim}")

    peak, kernel = floor.peak()
    print(f"peak of one core: {peak / 1e9:.1f} thousand million multiply-adds a second ({kernel})")
    for hop_ms in hops:
        each = stages.stages(model, hop_ms)
        print(f"hop {hop_ms:.0f} ms: " + ", ".join(f"{name} {us:.1f} µs" for name, us in each.items()))
        work = per_window
        if (model.folder / STREAM_NETWORK).exists():
            work = round(operations.per_output(window) * hop_ms * SAMPLE_RATE / 1_000 / model.step)
        least = work / peak * 1e6
        print(f"  network: {work / 1e6:.3f} million multiply-adds, {each['network'] / least:.1f} times their floor")

    median, late = callback.callback_us()
    print(f"audio callback: median {median:.1f} µs, 99th percentile {late:.1f} µs (aim: 10 µs)")
    ready, resident, private = min((process.ready_and_memory(str(model.folder)) for _ in range(5)), key=lambda r: r[0])
    print(f"process start to listening: {ready:.2f} s, best of five (aim: 0.4 s)")
    print(f"memory while listening: {resident:.0f} MB resident, {private:.0f} MB of it private (aim: 85 and 35 MB)")


if __name__ == "__main__":
    main()
