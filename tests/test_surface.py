"""The public names and the formats that others rely on are pinned."""

from __future__ import annotations

import json
import subprocess
import sys

import spotter
from spotter.events import Detection, DeviceBack, DeviceLost, Gap, Skipped
from spotter.settings import DecoderConfig, FrontendConfig, as_dict


def test_the_public_names_are_these_and_each_is_there() -> None:
    assert sorted(spotter.__all__) == [
        "BadInputError",
        "DecoderConfig",
        "Detection",
        "DeviceBack",
        "DeviceLost",
        "FrontendConfig",
        "Gap",
        "Listener",
        "MicrophoneError",
        "Model",
        "ModelError",
        "Skipped",
        "Spotter",
        "SpotterError",
        "Streams",
        "__version__",
        "spot",
    ]
    for name in spotter.__all__:
        assert getattr(spotter, name)
    assert dir(spotter) == spotter.__all__


def test_a_name_that_does_not_exist_is_an_attribute_error() -> None:
    assert not hasattr(spotter, "nothing_of_this_name")


def test_detections_are_printed_with_these_keys_in_seconds() -> None:
    detection = Detection(keyword="yes", score=0.97, time_sample=198_400, start_sample=185_920, end_sample=196_960)
    assert json.loads(json.dumps(detection.as_dict())) == {
        "type": "detection",
        "keyword": "yes",
        "score": 0.97,
        "time": 12.4,
        "start": 11.62,
        "end": 12.31,
    }


def test_gaps_are_printed_with_these_keys_in_seconds() -> None:
    gap = Gap(time_sample=1_280_000, samples=5_600, reason="overflow")
    assert gap.as_dict() == {"type": "gap", "time": 80.0, "seconds": 0.35, "reason": "overflow"}


def test_what_happens_to_devices_is_printed_with_these_keys() -> None:
    lost = DeviceLost(time_sample=16_000, device="USB Mic", reason="stopped")
    assert lost.as_dict() == {"type": "device_lost", "time": 1.0, "device": "USB Mic", "reason": "stopped"}
    back = DeviceBack(time_sample=40_000, device="USB Mic", reason="opened")
    assert back.as_dict() == {"type": "device_back", "time": 2.5, "device": "USB Mic", "reason": "opened"}


def test_windows_that_were_left_out_are_printed_with_these_keys() -> None:
    skipped = Skipped(time_sample=32_000, windows=15, samples=24_000)
    assert skipped.as_dict() == {"type": "skipped", "time": 2.0, "seconds": 1.5, "windows": 15}


def test_a_manifests_settings_have_these_names() -> None:
    assert list(as_dict(FrontendConfig())) == [
        "kind",
        "sample_rate",
        "frame_samples",
        "hop_samples",
        "fft_size",
        "window",
        "mel_bands",
        "low_hz",
        "high_hz",
        "floor",
        "window_samples",
        "mel",
        "gain",
        "offset",
        "range_db",
        "group_frames",
        "beside",
    ]
    assert list(as_dict(DecoderConfig())) == [
        "gate_dbfs",
        "smooth_ms",
        "threshold",
        "thresholds",
        "rearm",
        "margin",
        "refractory_ms",
        "noise_share",
        "noise_db",
        "quiet_db",
    ]


def test_importing_the_package_loads_nothing_heavy() -> None:
    code = "import sys, spotter; print([m for m in sys.modules if m.split('.')[0] in %r])"
    heavy = ("numpy", "scipy", "sounddevice", "_sounddevice", "soundfile", "soxr", "tensorflow", "keras", "rich")
    done = subprocess.run([sys.executable, "-c", code % (heavy,)], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_listening_loads_nothing_of_options_that_are_not_given() -> None:
    code = (
        "import sys; from spotter.cli.listen import DEMO, main; main(['--input', str(DEMO), '--seconds', '1'])\n"
        "print([m for m in sys.modules if m.startswith(%r)])"
    )
    ours = ("spotter.exec_command", "spotter.mqtt", "spotter.scan", "spotter.page", "spotter.serving", "spotter.aio")
    others = ("paho", "joblib", "dask", "distributed", "pyarrow", "sqlite3", "websockets", "wyoming", "scipy")
    command = [sys.executable, "-c", code % ((*ours, *others),)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
