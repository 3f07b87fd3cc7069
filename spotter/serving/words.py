"""What the service offers: the keywords of its models, each under a name of its own."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from spotter.errors import BadInputError

if TYPE_CHECKING:
    from wyoming.info import Attribution, Info

    from spotter.model import Model

_SPDX: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9.+-]*")


@dataclass(frozen=True, slots=True)
class Word:
    """A keyword of one of the models."""

    name: str  # by which clients ask for it
    keyword: str
    model: int
    title: str  # what people read


class Words:
    """All keywords of some models.

    Where two models have the same keyword, its name begins with the model's: "mine/yes".

    Parameters
    ----------
    models : sequence of Model
        At least one.

    Raises
    ------
    BadInputError
        Two models have the same keyword and the same name.
    """

    def __init__(self, models: Sequence[Model]) -> None:
        self.models = tuple(models)
        count = Counter(keyword for model in models for keyword in model.keywords)
        self.words: tuple[Word, ...] = tuple(
            _word(model, number, keyword, alone=count[keyword] == 1)
            for number, model in enumerate(models)
            for keyword in model.keywords
        )
        self.by_name = {word.name: word for word in self.words}
        self.by_keyword = [
            {word.keyword: word for word in self.words if word.model == number} for number in range(len(models))
        ]
        if len(self.by_name) < len(self.words):
            name = Counter(word.name for word in self.words).most_common(1)[0][0]
            raise BadInputError(f"{name!r} is in two of the models under the same name; rename the one in its manifest")

    def named(self, names: Sequence[str]) -> tuple[frozenset[Word], list[str]]:
        """Return the words of these names, all of them if there are none, and the names that nobody has."""
        if not names:
            return frozenset(self.words), []
        unknown = [name for name in dict.fromkeys(names) if name not in self.by_name]
        return frozenset(self.by_name[name] for name in names if name in self.by_name), unknown

    def info(self) -> Info:
        """Return what `describe` is answered with: one program, since Home Assistant reads the first alone."""
        from wyoming.info import Attribution, Info, WakeModel, WakeProgram

        from spotter import __version__

        program = WakeProgram(
            name="spotter",
            description="Recognises spoken keywords as they are said",
            attribution=Attribution(name="spotter (Apache-2.0)", url="https://pypi.org/project/spotter-kws"),
            installed=True,
            version=__version__,
            models=[
                WakeModel(
                    name=word.name,
                    description=word.title,
                    phrase=self.models[word.model].phrases[word.keyword],
                    languages=list(self.models[word.model].languages),
                    attribution=_attribution(self.models[word.model]),
                    installed=True,
                    version=None,
                )
                for word in self.words
            ],
        )
        return Info(wake=[program])


def _word(model: Model, number: int, keyword: str, *, alone: bool) -> Word:
    phrase = model.phrases[keyword]
    if alone:
        return Word(keyword, keyword, number, phrase)
    return Word(f"{model.name}/{keyword}", keyword, number, f"{phrase} ({model.name})")


def _attribution(model: Model) -> Attribution:
    """Say whose the model is; the protocol has no field for a licence."""
    from wyoming.info import Attribution

    licence = str(model.manifest.get("licence", ""))
    url = f"https://spdx.org/licenses/{licence}.html" if _SPDX.fullmatch(licence) else ""
    return Attribution(name=f"{model.name} ({licence})", url=url)
