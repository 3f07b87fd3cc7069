"""Recordings of somebody's own words: found by energy, checked, named by who and when, asked for one by one.

microphone ─▶ live ─▶ guide ─▶ takes ─▶ utterances, quality ─▶ session ─▶ WORD/SPEAKER-SESSION_nohash_N.wav
files ──────▶ collecting ─────────────▶       as above      ─▶
listen --save ─▶ DIR ─▶ reviewing ────▶       as above      ─▶ and WORDS/_negatives_/
"""
