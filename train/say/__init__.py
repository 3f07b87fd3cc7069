"""Own words without recordings: how a phrase sounds, what sounds near it, and voices that say both.

phonemes.py   sounds, and how far two readings are apart
reading.py    text -> phonemes, and the words of the lexicon that are near
known.py      what people say all day, and the eight shipped words
pico.py, voices.py   what says a text: SVOX Pico, hibari, Kokoro
near.py       phrases that are easily taken for one
make.py       say a phrase and what is near it, into folders of words
choosing.py   is a word a good one? From how it is spoken
hearing.py    ... and from a backbone's own distances
"""
