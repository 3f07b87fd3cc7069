"""The live page: what is heard, as it is heard, in a browser.

    listener ──windows, samples──▶ kept ──▶ picture, what-if ──▶ viewer ──WebSocket──▶ static/*.js
    (its own thread)               the last five minutes         one for each browser

Nothing is computed from what is kept while nobody looks.
"""
