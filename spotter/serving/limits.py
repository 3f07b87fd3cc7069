"""What a client may ask of the service."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Beyond these a client is answered with an error, and closed; others never notice."""

    line_bytes: int = 16_384  # of the header
    data_bytes: int = 65_536
    payload_bytes: int = 262_144  # 8 s at 16 kHz; clients send 10 to 100 ms
    unread_bytes: int = 65_536  # of answers that wait for a client; then nothing more is read from it
    idle_s: float = 300.0  # without a whole frame; a satellite is silent while it streams a command elsewhere
    connections: int = 512
    silent_s: float = 10.0  # without audio; then, where all places are taken, a newcomer may have this one
    linger_s: float = 1.0  # after an error, so that it is read
    turn_s: float = 0.5  # of audio that a client gets worked through before the others have a turn
    turn_frames: int = 64
