"""How SVOX Pico's German, Spanish, French and Italian voices are told to say English: sound by sound, with an accent.

Given English letters, they would read them by the rules of their own language, and "hey robot" would be another
phrase. Pico takes sounds instead (`<phoneme>`, X-SAMPA); each voice has those of its language, and what it lacks is
replaced as its speakers do. Which ones a voice has was found by asking it for each: those that it lacks add no sound.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

_SOUNDS: Final = "pbtdkfszmnlɡʧvθðʃʒʤhŋɹwjiɪᵻɛæəɜuɑʌɔʊAIOWY"  # noqa: RUF001  phonetic letters
_OWN: Final = {  # of each voice, in their order; "-" where its speakers say nothing
    "de-DE": "p b t d k f s z m n l g tS v s z S Z dZ h N R v j i: I I E E @ 9 u: a: a O U e: aI o: aU OY",
    "es-ES": "p b t d k f s s m n l g tS b T D tS L L x N r u j i i i e a e e u a a o u ej aj ou au oj",
    "fr-FR": "p b t d k f s z m n l g tS v s z S Z dZ - N R w j i i i E a @ 9 u a a O u ej aj o aw Oj",
    "it-IT": "p b t d k f s z m n l g tS v t d S dZ dZ - N r u i i i i E E e E u a a O u ei ai ou au Oi",
}
_ACCENTS: Final[Mapping[str, Mapping[str, str]]] = {
    voice: {sound: its.strip("-") for sound, its in zip(_SOUNDS, own.split(), strict=True)}
    for voice, own in _OWN.items()
}
ENGLISH: Final = ("en-GB", "en-US")  # these read English themselves
VOICES: Final = (*ENGLISH, *_ACCENTS)


def accented(words: tuple[str, ...], voice: str, *, pause: bool = False) -> str:
    """Return what a voice of another language is to be given for the sounds of words."""
    accent = _ACCENTS[voice]
    tags = [f'<phoneme alphabet="xsampa" ph="{"".join(accent[s] for s in word)}"/>' for word in words]
    return (", " if pause else " ").join(tags)
