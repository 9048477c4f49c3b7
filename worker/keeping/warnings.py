"""What people are to hear of once the run has ended, though it ended no attempt.

Each sentence is in the log at once and in the run's record with the next save, from where a mail
takes it. What is a warning is decided by who says it.
"""

from __future__ import annotations

from steadyspot.worker.log import Log

MOST = 10
LONGEST = 400
"""So many sentences of so many characters are in the record; all of them are in the log."""

SHOWN = 100


def shown(name: str) -> str:
    """A name in a sentence: readable whatever it holds, and never long."""
    text = ascii(name)
    return text if len(text) <= SHOWN else f"{text[: SHOWN // 2]}…{text[-SHOWN // 2 :]}"


class Warnings:
    """Sentences of this attempt and, once the record was read, of those before it."""

    def __init__(self, log: Log) -> None:
        self._log = log
        self.sentences: list[str] = []

    def say(self, event: str, sentence: str) -> None:
        """Log a warning and have it told at the end of the run, once."""
        self._log.warning(event, sentence)
        self.add([sentence])

    def add(self, sentences: list[str]) -> None:
        """Take what earlier attempts said."""
        short = (each if len(each) <= LONGEST else f"{each[: LONGEST - 1]}…" for each in sentences)
        self.sentences = list(dict.fromkeys([*self.sentences, *short]))[:MOST]
