"""A history, sealed and merged, says what plain dictionaries would, and costs far less memory."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from steadyspot.worker.keeping.checkpoint import Ledger, encode, load, manifest, seal
from steadyspot.worker.keeping.history import Output
from steadyspot.worker.keeping.store import Part
from tests.unit.worker.fakes import FakeBucket, Inline, World


def output(name: str, upload_id: str) -> Output:
    part = Part(1, '"0cc175b9c0f1b6a831c399e269772661"', "AAAAAA==")
    return Output(name, f"outputs/{name}", upload_id, "token", 1, "0" * 64, "", (part,))


class Twice:
    """A ledger, and what it must say by plain dictionaries; ``save`` reads it back each time."""

    def __init__(self) -> None:
        self.ledger = Ledger()
        self.units: dict[str, set[str]] = {}
        self.outputs: dict[str, tuple[str, str]] = {}
        self.bucket = FakeBucket(World())
        self.uploads = 0

    def mark(self, unit: str, names: set[str]) -> None:
        self.uploads += 1
        upload_id = str(self.uploads)
        replaced = self.ledger.mark(unit, [output(name, upload_id) for name in sorted(names)], [])
        gone = {
            name
            for name in self.units.get(unit, set()) - names
            if self.outputs.get(name, ("", ""))[0] == unit
        }
        old = {self.outputs.pop(name)[1] for name in gone}
        old |= {self.outputs[name][1] for name in names if name in self.outputs}
        assert {one.upload_id for one in replaced} == old
        self.units[unit] = names
        self.outputs |= dict.fromkeys(names, (unit, upload_id))

    def take_away(self, name: str) -> None:
        old = [upload_id for _, upload_id in [self.outputs.pop(name, ("", ""))] if upload_id]
        assert [one.upload_id for one in self.ledger.take_away(name)] == old

    def undo(self, names: set[str]) -> None:
        units = {self.outputs[name][0] for name in names if name in self.outputs}
        self.ledger.undo(names)
        self.units = {unit: made for unit, made in self.units.items() if unit not in units}
        self.outputs = {
            name: one
            for name, one in self.outputs.items()
            if name not in names and one[0] not in units
        }

    def save(self) -> None:
        saved = self.ledger.snapshot()
        seal(saved, self.bucket, "p/")
        body, sha256 = encode(manifest(saved, {}))
        self.bucket.put("manifest", body)
        self.ledger.settle(saved)
        self.check(self.ledger)
        self.check(load(self.bucket, {"key": "manifest", "sha256": sha256}, Inline()))

    def check(self, ledger: Ledger) -> None:
        history = ledger.history
        assert sorted(history.units()) == sorted(self.units)
        assert ledger.units_done == len(self.units)
        assert {o.name: (o.unit, o.upload_id) for o in history.outputs()} == self.outputs
        for unit in list(self.units)[:3]:
            assert history.unit(unit) == sorted(self.units[unit])
        for name, (_, upload_id) in list(self.outputs.items())[:3]:
            assert ledger.counts(upload_id, name)
            assert not ledger.counts("another", name)
        assert history.unit("of nobody") is None
        assert history.output("of nobody") is None


NUMBERS = st.integers(0, 7)
STEPS = st.lists(
    st.tuples(st.sampled_from(["mark", "mark", "mark", "take away", "undo", "save"]), NUMBERS),
    max_size=24,
)


@settings(max_examples=60, deadline=None)
@given(STEPS)
def test_it_says_what_plain_dictionaries_would(steps: list[tuple[str, int]]) -> None:
    """Steps are of 200 units at once, so that segments are sealed and merged."""
    twice = Twice()
    for step, (what, number) in enumerate(steps):
        first = number * 100
        if what == "mark":
            for unit in range(first, first + 200):
                twice.mark(
                    f"u{unit}", {f"o{unit % 500}", f"p{unit * step % 7}"} if step % 3 else set()
                )
        elif what == "take away":
            for name in range(first, first + 200):
                twice.take_away(f"o{name}")
        elif what == "undo":
            twice.undo({f"o{name}" for name in range(first, first + 20)})
        else:
            twice.save()
    twice.save()
