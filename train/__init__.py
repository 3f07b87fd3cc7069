"""The workshop: recordings in, a model folder out.

    recipe ─▶ data ─▶ bank ─▶ augment ─▶ batches ─▶ networks, fit ─▶ export ─▶ evaluate
    (TOML)    rows    band     room,      sequences   Keras; best     TFLite,    clips,
              and     powers,  noise,     and what    weights kept;   compared   streams,
              split   once     colour …   may be said mine, go on     with Keras metrics

`python -m train fit --help` begins. Nothing in `spotter` imports anything here.
"""
