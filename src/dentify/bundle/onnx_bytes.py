"""What an ONNX file holds, read from its bytes without running or trusting it.

ONNX files are protobuf messages. Walking them needs no `onnx` package (15 MB that serving would have to install), only the field
numbers of `onnx/onnx.proto` (onnx 1.23). The walk finds everything that would reach outside the file or run foreign code: tensors
kept in other files, operators that are not ONNX Runtime's own, and compiled blobs. It also finds what would take time or memory
out of all proportion to the file: graphs within the graph (loops and branches have them, and a loop need not end), functions that
unfold without end, and tensors whose size is a number in the file. What only a run can show, `dentify.runtime.session` bounds.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field

from dentify.errors import BundleError, printable

# message -> field number -> message in that field; only what can lead to a tensor or an operator.
_CHILDREN: dict[str, dict[int, str]] = {
    "Model": {7: "Graph", 20: "Training", 25: "Function"},
    "Training": {1: "Graph", 2: "Graph"},
    "Graph": {1: "Node", 5: "Tensor", 15: "SparseTensor"},
    "Node": {5: "Attribute"},
    "Attribute": {5: "Tensor", 6: "Graph", 10: "Tensor", 11: "Graph", 22: "SparseTensor", 23: "SparseTensor"},
    "SparseTensor": {1: "Tensor", 2: "Tensor"},
    "Function": {7: "Node", 11: "Attribute"},
    "Tensor": {},
}
# ONNX's own operators and ONNX Runtime's built-in ones (which quantised networks need).
_KNOWN_DOMAINS = frozenset({"", "ai.onnx", "ai.onnx.ml", "com.microsoft"})
# Built-in names that load a compiled blob or call into Python or torch.
_FOREIGN_OPERATORS = frozenset({"EPContext", "PythonOp", "PythonOpGrad", "ATen", "ATenOp"})
# Operators whose output is as large as one of their inputs says, and which of them that is.
_SIZED_BY = {"ConstantOfShape": 0, "Expand": 1, "Resize": 3, "CenterCropPad": 1}
_FLOAT, _INT64 = 1, 7
_FLOATS = frozenset({_FLOAT, 10, 11})  # of 32, 16 and 64 bits
_INDEX_TYPES = frozenset({6, 7, 12, 13})  # INT32, INT64, UINT32, UINT64 of `TensorProto.DataType`
_MAX_DEPTH = 60  # protobuf itself stops at 100
_MAX_FIELDS = 2_000_000
_MAX_DIMENSIONS = 64  # as many as NumPy's arrays have
_MAX_NODES = 50_000  # functions written out; large networks have some thousand
_MAX_NUMBERS = 2**28  # of one tensor that a graph makes by itself: 1 GiB

Shape = tuple[int | None, ...]


@dataclass
class OnnxFacts:
    """Names and shapes of a network's inputs and outputs; `None` where a dimension is not fixed.

    `given` are weights, which older files list among the inputs. `floats` are the inputs and outputs that are tensors of
    floating-point numbers, `float32` those of 32 bits among them.
    `parameters` counts the numbers of its initialisers: weights and biases, quantised ones too, and not the integers of 32 and 64
    bits, which are shapes and indices.
    """

    inputs: dict[str, Shape] = field(default_factory=dict)
    outputs: dict[str, Shape] = field(default_factory=dict)
    floats: set[str] = field(default_factory=set)
    float32: set[str] = field(default_factory=set)
    given: set[str] = field(default_factory=set)
    parameters: int = 0


def inspect_onnx(data: bytes, *, where: str) -> OnnxFacts:
    """Names and shapes of an ONNX file's inputs and outputs, after making sure that it stands alone.

    Args:
        data: the file's bytes.
        where: what error messages call the file.

    Raises:
        BundleError: it is not ONNX, keeps tensors in other files, uses operators that are not ONNX Runtime's own, or would take
            time or memory out of all proportion.
    """
    walk = _Walk(where)
    model = memoryview(data)
    walk.visit(model, "Model", 0)
    foreign = sorted(
        {printable(f"{domain}::{operator}") for domain, operator in walk.operators if walk.is_foreign(domain, operator)}
    )
    if foreign:
        raise BundleError(
            f"{where}: uses operators that are not ONNX Runtime's own ({', '.join(foreign[:3])}); export without them"
        )
    if walk.graphs_within:
        raise BundleError(f"{where}: holds graphs within its graph, as loops and branches have them; export it without")
    walk.check_costs(model)
    facts = OnnxFacts()
    for number, graph in walk.fields(model):
        if number == 7 and isinstance(graph, memoryview):
            for key, value in walk.fields(graph):
                if key in (11, 12) and isinstance(value, memoryview):
                    name, shape = walk.name_and_shape(value)
                    (facts.inputs if key == 11 else facts.outputs)[name] = shape
                    kind = walk.kind_of(value)
                    facts.floats |= {name} if kind in _FLOATS else set()
                    facts.float32 |= {name} if kind == _FLOAT else set()
                elif key == 5 and isinstance(value, memoryview):
                    facts.parameters += walk.numbers_of(value)
                    facts.given |= {bytes(name).decode(errors="replace") for number, name in walk.fields(value) if number == 8}
    if not facts.outputs:
        raise BundleError(f"{where}: not an ONNX file (it holds no graph with outputs)")
    return facts


class _Walk:
    """One pass over a file: how much was read, and which operators and functions were met."""

    def __init__(self, where: str) -> None:
        self.where = where
        self.budget = _MAX_FIELDS
        self.operators: set[tuple[str, str]] = set()
        self.functions: set[tuple[str, str]] = set()
        self.graphs_within = False

    def is_foreign(self, domain: str, operator: str) -> bool:
        if (domain, operator) in self.functions:  # written out in the file itself; its nodes were visited too
            return False
        return domain not in _KNOWN_DOMAINS or operator in _FOREIGN_OPERATORS

    def visit(self, message: memoryview, kind: str, depth: int) -> None:
        if depth > _MAX_DEPTH:
            raise BundleError(f"{self.where}: not an ONNX file that Dentify opens (nested more than {_MAX_DEPTH} deep)")
        children = _CHILDREN[kind]
        texts: dict[int, str] = {}
        for number, value in self.fields(message):
            if kind == "Tensor" and (number == 13 or (number == 14 and value != 0)):
                raise BundleError(
                    f"{self.where}: keeps tensors in another file (external data); export it with its weights inside"
                )
            if number in children:
                if not isinstance(value, memoryview):
                    raise self.malformed()
                self.graphs_within |= kind == "Attribute" and children[number] == "Graph"
                self.visit(value, children[number], depth + 1)
            elif kind in ("Node", "Function") and isinstance(value, memoryview):
                texts[number] = bytes(value[:200]).decode("utf-8", "replace")
        if kind == "Node":
            self.operators.add((texts.get(7, ""), texts.get(4, "")))
        elif kind == "Function":
            self.functions.add((texts.get(10, ""), texts.get(1, "")))

    def check_costs(self, model: memoryview) -> None:
        """Refuses what unfolds to too many nodes, and tensors that are made as large as a number in the file says.

        Raises:
            BundleError: it holds such a thing.
        """
        sizes: dict[str, int] = {}  # by constant of whole numbers: their product
        sized: list[tuple[str, str]] = []  # operators that a constant may tell the size of their output, and which
        calls: dict[tuple[str, str] | None, list[tuple[str, str]]] = {}  # by function; `None`: the graph
        for number, part in self.fields(model):
            if number not in (7, 25) or not isinstance(part, memoryview):
                continue
            called: list[tuple[str, str]] = []
            texts: dict[int, str] = {}
            for key, value in self.fields(part):
                if not isinstance(value, memoryview):
                    continue
                if key == (1 if number == 7 else 7):
                    called.append(self._node(value, sizes, sized))
                    if len(called) > _MAX_NODES:
                        raise self.too_many_nodes()
                elif key == 5 and number == 7:
                    self._constant(value, sizes)
                elif key in (1, 10):
                    texts[key] = bytes(value[:200]).decode("utf-8", "replace")
            name = None if number == 7 else (texts.get(10, ""), texts.get(1, ""))
            calls.setdefault(name, []).extend(called)
        self._unfold(None, calls, {}, 0)
        for operator, constant in sized:
            if sizes.get(constant, 0) > _MAX_NUMBERS:
                told = f"makes a tensor of {sizes[constant]:.2g} numbers, over the limit of {_MAX_NUMBERS:,}"
                raise BundleError(f"{self.where}: its {operator} {told}")

    def _unfold(
        self,
        name: tuple[str, str] | None,
        calls: dict[tuple[str, str] | None, list[tuple[str, str]]],
        known: dict[tuple[str, str] | None, int],
        depth: int,
    ) -> int:
        """How many nodes a function is, or the graph (`None`), with the functions that it calls written out."""
        if name not in known:
            if depth > _MAX_DEPTH:
                raise BundleError(f"{self.where}: its functions call each other more than {_MAX_DEPTH} deep; export it without")
            known[name] = 0  # while it is being counted
            total = 0
            for called in calls.get(name, ()):
                if known.get(called) == 0:
                    raise BundleError(f"{self.where}: its function {printable(called[1])} calls itself; export it without")
                total += 1 + (self._unfold(called, calls, known, depth + 1) if called in calls else 0)
                if total > _MAX_NODES:
                    raise self.too_many_nodes()
            known[name] = max(total, 1)
        return known[name]

    def too_many_nodes(self) -> BundleError:
        return BundleError(f"{self.where}: not an ONNX file that Dentify opens (more than {_MAX_NODES:,} nodes)")

    def _node(self, node: memoryview, sizes: dict[str, int], sized: list[tuple[str, str]]) -> tuple[str, str]:
        """A node's domain and operator, after taking note of the sizes that it tells or is told."""
        texts: dict[int, list[str]] = {1: [], 2: [], 4: [], 7: []}
        for number, value in self.fields(node):
            if number in texts and isinstance(value, memoryview):
                texts[number].append(bytes(value[:200]).decode("utf-8", "replace"))
        operator = (texts[4] or [""])[-1]
        if operator == "Constant" and texts[2]:
            for tensor in self.along(node, (5, 5)):
                self._constant(tensor, sizes, name=texts[2][0])
        at = _SIZED_BY.get(operator)
        if at is not None and at < len(texts[1]):
            sized.append((operator, texts[1][at]))
        return (texts[7] or [""])[-1], operator

    def _constant(self, tensor: memoryview, sizes: dict[str, int], *, name: str = "") -> None:
        """Takes note of the product of a constant's numbers, where they may be a shape."""
        kind, raw, listed = 0, b"", list[int]()
        for number, value in self.fields(tensor):
            if number == 2 and isinstance(value, int):
                kind = value
            elif number == 7 and isinstance(value, int):
                listed.append(value)
            elif number == 7 and isinstance(value, memoryview) and len(value) <= 10 * _MAX_DIMENSIONS:  # packed
                position = 0
                while position < len(value):
                    size, position = self.varint(value, position)
                    listed.append(size)
            elif number == 8 and isinstance(value, memoryview) and not name:
                name = bytes(value[:200]).decode("utf-8", "replace")
            elif number == 9 and isinstance(value, memoryview) and len(value) <= 8 * _MAX_DIMENSIONS:
                raw = bytes(value)
        if kind != _INT64 or len(listed) > _MAX_DIMENSIONS:
            return
        if raw and len(raw) % 8 == 0:
            listed += struct.unpack(f"<{len(raw) // 8}q", raw)
        sizes[name] = math.prod(size for size in listed if 0 < size < 2**63)

    def fields(self, message: memoryview) -> Iterator[tuple[int, int | memoryview]]:
        """Field numbers and values of one message: varints as `int`, fixed-width numbers as 0, the rest as bytes."""
        position, end = 0, len(message)
        while position < end:
            self.budget -= 1
            if self.budget < 0:
                raise BundleError(f"{self.where}: not an ONNX file that Dentify opens (more than {_MAX_FIELDS:,} fields)")
            tag, position = message[position], position + 1
            if tag >= 0x80:  # of more bytes than one
                tag, position = self.varint(message, position - 1)
            number, wire = tag >> 3, tag & 7
            if number == 0 or number >= 2**29:  # a parser might cut such a number down to one that is looked for
                raise self.malformed()
            if wire == 0:
                value, position = self.varint(message, position)
                yield number, value
            elif wire == 2:
                if position < end and message[position] < 0x80:
                    size, position = message[position], position + 1
                else:
                    size, position = self.varint(message, position)
                if size > end - position:
                    raise self.malformed()
                yield number, message[position : position + size]
                position += size
            elif wire in (1, 5):
                position += 8 if wire == 1 else 4
                if position > end:
                    raise self.malformed()
                yield number, 0
            else:  # groups are in no ONNX file, 6 and 7 in no protobuf
                raise self.malformed()

    def varint(self, message: memoryview, position: int) -> tuple[int, int]:
        if position < len(message) and (byte := message[position]) < 0x80:  # nearly all of them
            return byte, position + 1
        value = 0
        for shift in range(0, 70, 7):
            if position >= len(message):
                raise self.malformed()
            byte = message[position]
            position += 1
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                return value, position
        raise self.malformed()

    def name_and_shape(self, value_info: memoryview) -> tuple[str, Shape]:
        """`ValueInfoProto`: name 1, type 2 → tensor_type 1 → shape 2 → dim 1 → dim_value 1."""
        name = ""
        for number, value in self.fields(value_info):
            if number == 1 and isinstance(value, memoryview):
                name = bytes(value).decode("utf-8", "replace")
        dimensions = self.along(value_info, (2, 1, 2, 1))
        return name, tuple(
            next((size for key, size in self.fields(each) if key == 1 and isinstance(size, int)), None) for each in dimensions
        )

    def kind_of(self, value_info: memoryview) -> int:
        """`ValueInfoProto`: type 2 → tensor_type 1 → elem_type 1; 0 where it is no tensor, or does not say of what."""
        kinds = [
            kind
            for tensor in self.along(value_info, (2, 1))
            for number, kind in self.fields(tensor)
            if number == 1 and isinstance(kind, int)
        ]
        others = any(number in (4, 5, 8, 9) for each in self.along(value_info, (2,)) for number, _ in self.fields(each))
        return kinds[-1] if kinds and not others else 0

    def numbers_of(self, tensor: memoryview) -> int:
        """How many numbers a `TensorProto` holds: dims 1, data_type 2; none where they are no weights."""
        sizes: list[int] = []
        kind = 0
        for number, value in self.fields(tensor):
            if number == 1 and isinstance(value, int):
                sizes.append(value)
            elif number == 1 and isinstance(value, memoryview):  # packed
                position = 0
                while position < len(value):
                    size, position = self.varint(value, position)
                    sizes.append(size)
            elif number == 2 and isinstance(value, int):
                kind = value
        if len(sizes) > _MAX_DIMENSIONS:
            raise self.malformed()
        return 0 if kind in _INDEX_TYPES else math.prod(sizes)

    def along(self, message: memoryview, path: tuple[int, ...]) -> Iterator[memoryview]:
        """The sub-messages that a path of field numbers leads to."""
        if not path:
            yield message
            return
        for number, value in self.fields(message):
            if number == path[0] and isinstance(value, memoryview):
                yield from self.along(value, path[1:])

    def malformed(self) -> BundleError:
        return BundleError(f"{self.where}: not an ONNX file (its bytes do not follow the format)")
