"""A wake-word service that speaks Wyoming, for Home Assistant and its satellites.

    bytes ──▶ frames ──▶ session ──▶ Spotter, one a model ──▶ detection
    TCP       limits     one client   16 kHz, padded           timestamp of the client's own chunk
    └ connection: turns by turns, on one event loop ┘

`words` says what is offered, `server` listens and counts, `address` and `announce` say where it is found.
"""
