"""Where and how a template carries a definition, and how that is read back.

A definition stands between two marks. It is either plain JSON, or the text of an ``Fn::Sub`` and
the pieces that it puts in, see ``pieces.py``. This half needs none of the code that makes the
definitions, so that reading a deployed template starts fast.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Sequence
from typing import Any

import yaml  # type: ignore[import-untyped]

MARK = "# definition: "
MARK_END = "# definition end"
NAME = re.compile(r"\$\{([\w:]+)\}")


class _Loader(yaml.SafeLoader):
    """Reads an ``Fn::Sub`` as its arguments, and knows nothing of other functions' values."""


def _of_function(loader: _Loader, function: str, node: yaml.Node) -> Any:
    if function != "Sub":
        return None
    if isinstance(node, yaml.SequenceNode):
        return loader.construct_sequence(node, deep=True)
    return loader.construct_scalar(node)


_Loader.add_multi_constructor("!", _of_function)


def written_out(block: Sequence[str]) -> str:
    """Return the definition that the lines between two marks hold, every piece in its place.

    Raises
    ------
    yaml.YAMLError
        The lines are no YAML.
    """
    properties = yaml.load(textwrap.dedent("\n".join(block)), _Loader)
    text = properties["DefinitionString"]
    if isinstance(text, str):
        return text
    outline, values = text
    pieces = {
        name: value[0] if isinstance(value, list) else value for name, value in values.items()
    }

    def piece(found: re.Match[str]) -> str:
        put = pieces.get(found[1])
        return put if isinstance(put, str) else found[0]

    return NAME.sub(piece, outline)
