"""A bundle's weights, as those that a run begins with.

    dentify train recipe.yaml --data DIR --from default

They are read from its ONNX file, whose tensors are called what the network's weights are. Export folded each batch norm into the
convolution before it, so that its weights are gone; what it did is not. Each is unfolded again: its statistics are measured on
some of the run's own pictures, and its scale and shift are those with which it undoes them. So the network says what the bundle
says, and its batch norms do what they are there for once it learns.

Answers are taken name by name: a head that tells other types than the bundle keeps what both know. A part of the network that the
bundle lacks begins with random weights, and layers that take in more for it hear nothing of it yet.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import NodeProto, TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator
from torch import Tensor, nn

from dentify.bundle.open import Bundle
from dentify.errors import ConfigError
from dentify.training.heads import Head
from dentify.training.models.efficientnet_fpn import Evidence

_PICKS = ("Slice", "Split", "Gather", "GatherND", "Transpose", "Identity")
"""What export picks channels with."""
_NONE = "none"
Values = NDArray[Any]
Channel = tuple[str, int]
"""Which name a channel answers for, and which of that name's channels it is."""


@dataclass(frozen=True)
class Begun:
    """How a network begins.

    Attributes:
        taught: by head, the names that the bundle was taught and both know.
        notes: what a user should know of it: what begins with random weights.
    """

    taught: Mapping[str, list[str]]
    notes: list[str]


@dataclass(frozen=True)
class _Answer:
    """The layer of the bundle's network that answers an output: its weights, and the row of each channel."""

    layer: str
    rows: Mapping[Channel, int]


class _Graph:
    """An ONNX file, its tensors by the names of the network's weights."""

    def __init__(self, content: bytes) -> None:
        graph = onnx.load_from_string(content).graph
        self.values = {one.name.removeprefix("network."): numpy_helper.to_array(one) for one in graph.initializer}
        self.roots = {name.partition(".")[0] for name in self.values}
        self.nodes = graph.node
        self._stored = {one.name: one for one in graph.initializer}
        self._made_by = {output: node for node in graph.node for output in node.output}
        self.biases: dict[str, Values] = {}
        """Of convolutions and linear layers, by the names of their weights; export leaves out one that is zero everywhere."""
        for node in graph.node:
            if node.op_type in ("Conv", "Gemm") and (weight := node.input[1].removeprefix("network.")) in self.values:
                stored = node.input[2].removeprefix("network.") if len(node.input) > 2 else ""
                self.biases[weight] = self.values.get(stored, np.zeros(len(self.values[weight]), np.float32))

    def rows(self, output: str) -> tuple[str, list[int]] | None:
        """The layer that answers an output, and which of its rows; `None` where more than picking lies between."""
        picks: list[NodeProto] = []
        name = output = self._beside_evidence(output)
        while (node := self._made_by.get(name)) is not None and node.op_type in _PICKS:
            picks.insert(0, node)
            name = node.input[0]
        if node is None or node.op_type not in ("Conv", "Gemm") or node.input[1] not in self._stored:
            return None
        count = self._stored[node.input[1]].dims[0]
        numbers = np.arange(count, dtype=np.float32).reshape(1, count, *([1, 1] if node.op_type == "Conv" else []))
        if picks:  # asked, not read: the same nodes with the rows' numbers in place of what they answer
            used = [self._stored[one] for one in {one for pick in picks for one in pick.input} if one in self._stored]
            ends = [helper.make_tensor_value_info(end, TensorProto.FLOAT, None) for end in (name, output)]
            graph = helper.make_graph(picks, "picks", ends[:1], ends[1:], used)
            answers: Any = ReferenceEvaluator(helper.make_model(graph)).run(None, {name: numbers})
            numbers = answers[0]
        layer = node.input[1].removeprefix("network.").removesuffix(".weight")
        return layer, [int(number) for number in numbers.reshape(-1)]

    def _beside_evidence(self, output: str) -> str:
        """What a layer says where an `Evidence` is added to it; else the output itself."""
        node = self._made_by.get(output)
        if node is None or node.op_type != "Add" or node.input[1] in self.values or self.evidence(output) is None:
            return output
        return str(node.input[0])

    def evidence(self, output: str) -> tuple[Values, Values] | None:
        """Weights, which are no longer those that learn, and bias of an `Evidence`; `None` where the output is none's."""
        found = self._made_by.get(output)
        while found is not None and found.op_type == "Add":
            bias = self.values.get(found.input[1])
            summed = self._made_by.get(found.input[0])
            if bias is None:  # beside features of the whole picture
                found = self._made_by.get(found.input[1])
                continue
            if summed is None or summed.op_type != "ReduceSum":
                return None
            weighed = self._made_by[summed.input[0]]
            weight = next((self.values[one] for one in weighed.input if one in self.values), None)
            return None if weighed.op_type != "Mul" or weight is None else (weight, bias)
        return None


def begin_with(network: nn.Module, heads: Mapping[str, Head], bundle: Bundle, pictures: Tensor) -> Begun:
    """Gives a network the weights of a bundle.

    Args:
        network: of the run, whatever its weights; see `Network`. They are changed.
        heads: that it answers.
        bundle: of the same architecture.
        pictures: `(B, 3, S, S)` normalised, on which the statistics of batch norms are measured.

    Raises:
        ConfigError: the bundle's network is another.
    """
    graph = _read(bundle, network)
    answers = _answers(bundle, graph, heads)
    layers: Mapping[str, tuple[str, int]] = network.answer_layers()  # type: ignore[operator]  # see `Network`
    apart = {f"{layer}.{kind}" for layer, _ in layers.values() for kind in ("weight", "bias")}
    norms = {name: one for name, one in network.named_modules() if isinstance(one, nn.BatchNorm2d)}
    evidences = {name: one for name, one in network.named_modules() if isinstance(one, Evidence)}
    apart |= {f"{name}.{key}" for name, one in (*norms.items(), *evidences.items()) for key in one.state_dict()}
    notes = _take_weights(network, graph, apart, bundle.where)
    begun = {name: answer for name, answer in answers.items() if name in layers and answer.layer == layers[name][0]}
    strangers: dict[str, dict[str, None]] = {"as damage of any type": {}, "with random weights": {}}
    for name, answer in begun.items():
        layer, first = layers[name]
        how = "as damage of any type" if heads[name].role in ("damage", "types") else "with random weights"
        strangers[how] |= _take_rows(network.get_submodule(layer), first, heads[name], answer, answers, graph)
    notes += [f"{', '.join(names)} begin {how}: {bundle.where} does not know that" for how, names in strangers.items() if names]
    for name, one in evidences.items():
        output = name.rpartition(".")[2]
        found = graph.evidence(output) if output in _outputs(bundle, heads[output]) else None
        if found is not None and found[0].size == one.weight.numel():
            weight, bias = (torch.from_numpy(value.astype(np.float32)) for value in found)
            with torch.no_grad():
                one.weight.copy_(torch.log(torch.expm1(weight.reshape(-1))))
                one.bias.copy_(bias.reshape(()) / Evidence.BIAS)
            begun.setdefault(output, _Answer(name, {("", 0): 0}))
    if norms:
        _unfold(network, norms, graph, pictures, bundle.where)
    random = [name for name in heads if name not in begun]
    if random:
        notes.append(f"{', '.join(random)}: begin with random weights, as {bundle.where} does not answer that")
    return Begun({name: _both_know(heads[name], answer) for name, answer in begun.items()}, notes)


def parts_of(bundle: Bundle) -> set[str]:
    """What the modules of a bundle's networks are called: `encoder`, `fine`."""
    return {root for network in bundle.manifest.networks for root in _Graph(bundle.files[network.file]).roots}


def _read(bundle: Bundle, network: nn.Module) -> _Graph:
    manifest = bundle.manifest
    if len(manifest.networks) != 1:
        raise ConfigError(f"{bundle.where}: has {len(manifest.networks)} networks; a run begins with a bundle of one")
    graph = _Graph(bundle.files[manifest.networks[0].file])
    if any(node.op_type in ("DequantizeLinear", "QLinearConv", "ConvInteger") for node in graph.nodes):
        raise ConfigError(f"{bundle.where}: computes in 8 bits; begin with the bundle that it was made of")
    preprocessing = manifest.networks[0].preprocessing
    for key, theirs in (("mean", preprocessing.mean), ("std", preprocessing.std)):
        ours = getattr(network, key)
        if not np.allclose(theirs, ours, atol=1e-4):
            raise ConfigError(
                f"{bundle.where}: is of another network than the recipe's: its {key} is {theirs}, the recipe's {ours}"
            )
    return graph


def _take_weights(network: nn.Module, graph: _Graph, apart: set[str], where: str) -> list[str]:
    """All weights but those `apart`; what the bundle has no part of stays as it is, and is told.

    Raises:
        ConfigError: a part has other weights in the bundle.
    """
    state = network.state_dict()
    wanted = [name for name in state if name not in apart]
    taken: dict[str, Tensor] = {}
    for name in wanted:
        value = graph.values.get(name)
        if value is None and name.endswith(".bias"):  # equal ones are stored once, and a folded one has another name
            value = graph.biases.get(f"{name.removesuffix('bias')}weight")
        weight = None if value is None else _widened(value, state[name])
        if weight is not None and weight.shape == state[name].shape:
            taken[name] = weight
        elif name.partition(".")[0] in graph.roots:
            theirs = "not there" if value is None else f"{value.shape}, the recipe's {tuple(state[name].shape)}"
            folded = "; or export folded it, as it does with layers on tokens: begin with the last.ckpt of its run then"
            raise ConfigError(
                f"{where}: is of another network than the recipe's: `{name}` is {theirs}{folded if value is None else ''}"
            )
    if not taken:
        raise ConfigError(f"{where}: is of another network than the recipe's: no weight of it is called as there")
    network.load_state_dict(taken, strict=False)
    left = dict.fromkeys(name.partition(".")[0] for name in wanted if name not in taken)
    return [f"model: {', '.join(left)} of the network begin with random weights, as {where} has none"] if left else []


def _outputs(bundle: Bundle, head: Head) -> list[str]:
    """The outputs of a bundle that answer what a head answers; one of its own name first."""
    members = [one for one in getattr(bundle.manifest.roles, head.role) if one.kind == head.kind]
    if head.auxiliary is not None:
        names = [one.auxiliary[head.auxiliary] for one in members if head.auxiliary in one.auxiliary]
    else:
        names = [one.output for one in members]
    return sorted(names, key=lambda name: name != head.name)


def _answers(bundle: Bundle, graph: _Graph, heads: Mapping[str, Head]) -> dict[str, _Answer]:
    """By head: how the bundle answers it, where it does so with a layer of its own."""
    classes = bundle.manifest.classes
    known = {"damage": classes.damage, "parts": classes.parts, "severity": classes.severity, "types": classes.types}
    answers = {}
    for name, head in heads.items():
        names = head.names if head.auxiliary in ("any", "vehicle") else known.get(head.role, head.names)
        for output in _outputs(bundle, head):
            found = graph.rows(output)
            if found is not None:
                layer, rows = found
                answers[name] = _Answer(layer, dict(zip(_channels(head, names, len(rows)), rows, strict=True)))
                break
    return answers


def _channels(head: Head, names: Sequence[str], count: int) -> list[Channel]:
    """What the channels of an output stand for.

    Args:
        head: that it answers.
        names: in its order.
        count: of channels.
    """
    if head.role.endswith("_gate"):
        return [("", 0)]
    names = (*names, _NONE) if head.role == "parts" else names
    return [(name, place) for name in names for place in range(count // len(names))]


def _take_rows(
    layer: nn.Module, first: int, head: Head, answer: _Answer, answers: Mapping[str, _Answer], graph: _Graph
) -> dict[str, None]:
    """Takes the rows of a head by name, and returns the names that the bundle does not know.

    Such a type of damage begins as damage of any type; where that has no map, as the mean of all. Others stay random.
    """
    assert isinstance(layer.weight, Tensor)
    assert isinstance(layer.bias, Tensor)
    weight, bias = (_widened(values, layer.weight) for values in _layer(graph, answer.layer))
    any_row = next((one.rows["any", 0] for one in answers.values() if ("any", 0) in one.rows and one.layer == answer.layer), None)
    strangers: dict[str, None] = {}
    with torch.no_grad():
        for place, (name, number) in enumerate(_channels(head, head.names, head.output.channels), first):
            if (name, number) in answer.rows:
                rows = [answer.rows[name, number]]
            elif head.role in ("damage", "types"):
                strangers[name] = None
                if head.auxiliary is None and any_row is not None:
                    rows = [any_row]
                else:
                    rows = [row for (_, of), row in answer.rows.items() if of == number]
            else:
                strangers[name] = None
                continue
            layer.weight[place] = weight[rows].mean(0)
            layer.bias[place] = bias[rows].mean(0)
    return strangers


def _widened(values: Values, like: Tensor) -> Tensor:
    """Weights or biases of a bundle, for a layer that may take more channels than there: further ones count for nothing yet.

    A network with a part that the bundle lacks hears of that beside what it knows already, which comes first.
    """
    known = torch.from_numpy(values.astype(np.float32))
    if known.ndim < 2 or known.ndim != like.ndim or known.shape[1] >= like.shape[1]:
        return known
    wide = torch.zeros(len(known), like.shape[1], *known.shape[2:])
    wide[:, : known.shape[1]] = known
    return wide


def _layer(graph: _Graph, layer: str) -> tuple[Values, Values]:
    return graph.values[f"{layer}.weight"], graph.biases[f"{layer}.weight"]


def _both_know(head: Head, answer: _Answer) -> list[str]:
    if head.role.endswith("_gate"):
        return sorted(head.names)
    return sorted({name for name, _ in answer.rows} & set(head.names))


def _unfold(network: nn.Module, norms: Mapping[str, nn.BatchNorm2d], graph: _Graph, pictures: Tensor, where: str) -> None:
    """Gives every batch norm statistics, scale and shift, one after the other as pictures pass."""
    made: dict[int, tuple[str, Tensor]] = {}  # the outputs of layers, which are kept so that no other gets their number

    def remember(name: str, module: nn.Module, _: Any, output: Any) -> None:
        if isinstance(output, Tensor):
            made[id(output)] = (name, output)

    def measure(name: str, norm: nn.BatchNorm2d, inputs: tuple[Tensor, ...]) -> None:
        own = {key: graph.values.get(f"{name}.{key}") for key in ("weight", "bias", "running_mean", "running_var")}
        if all(value is not None for value in own.values()):  # it was not folded
            norm.load_state_dict({key: torch.from_numpy(np.array(value)) for key, value in own.items()}, strict=False)
            return
        variance, mean = torch.var_mean(inputs[0], (0, 2, 3), correction=0)  # as a norm takes it while it learns
        assert norm.running_mean is not None
        assert norm.running_var is not None
        norm.running_mean.copy_(mean)
        norm.running_var.copy_(variance)
        if name.partition(".")[0] not in graph.roots:
            return
        before, _ = made.pop(id(inputs[0]), ("", None))
        shift = graph.biases.get(f"{before}.weight")
        if shift is None:
            raise ConfigError(f"{where}: is of another network than the recipe's: it has nothing of `{name}`")
        norm.weight.copy_((variance + norm.eps).sqrt())
        own_shift = getattr(network.get_submodule(before), "bias", None)
        norm.bias.copy_(torch.from_numpy(shift.astype(np.float32)) + mean - (0 if own_shift is None else own_shift))

    layers = {name: one for name, one in network.named_modules() if isinstance(getattr(one, "weight", None), Tensor)}
    hooks = [
        *(one.register_forward_hook(partial(remember, name)) for name, one in layers.items() if name not in norms),
        *(one.register_forward_pre_hook(partial(measure, name)) for name, one in norms.items()),
    ]
    was_training = network.training
    try:
        with torch.no_grad():
            network.eval()(pictures)
    finally:
        for hook in hooks:
            hook.remove()
        network.train(was_training)
