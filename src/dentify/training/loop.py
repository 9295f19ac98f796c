"""The training loop: a recipe and a folder of photos in, checkpoints and a log of figures out.

    dentify train recipes/default.yaml --data DIR

The run's folder holds `recipe.yaml` (as resolved), `data.txt` (where the photos were), `last.ckpt` (written after every round
of steps) and `metrics.jsonl` (one line a validation). A run that was killed goes on with `--resume` from the last round, with
the same photos in the same order.
"""

from __future__ import annotations

import ctypes
import json
import sys
import time
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import lightning
import numpy as np
import torch
import yaml
from lightning.pytorch.callbacks import Callback, WeightAveraging
from torch import Tensor
from torch.utils.data import DataLoader

from dentify.errors import ConfigError, DentifyError
from dentify.training.data import IGNORE, MixedBatches, Views, hold_out, read_source
from dentify.training.losses import total_loss
from dentify.training.models import build_model
from dentify.training.recipe import Recipe


class Lesson(lightning.LightningModule):
    """One network, its losses and its schedule, as Lightning wants them."""

    def __init__(self, recipe: Recipe, root: Path | None) -> None:
        super().__init__()
        self.recipe = recipe
        self.network = build_model(recipe, root).to(memory_format=torch.channels_last)
        self.counts: dict[str, Tensor] = {}
        self.begin_with: Mapping[str, Tensor] = {}
        """Weights in place of those of the checkpoint that the run goes on from; none: the checkpoint's own."""
        self.register_buffer("mean", torch.tensor(self.network.mean).view(1, 3, 1, 1) * 255, persistent=False)
        self.register_buffer("std", torch.tensor(self.network.std).view(1, 3, 1, 1) * 255, persistent=False)
        self.mean: Tensor
        self.std: Tensor

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        """(B, S, S, 3) uint8 photos to the network's outputs."""
        pixels = images.permute(0, 3, 1, 2).float().contiguous(memory_format=torch.channels_last)
        outputs: dict[str, Tensor] = self.network((pixels - self.mean) / self.std)
        return outputs

    def on_train_epoch_start(self) -> None:
        """A round's photos follow from the steps taken: Lightning's own count of epochs is one off after a resumption."""
        batches = self.trainer.train_dataloader.batch_sampler  # type: ignore[union-attr]
        batches.round = self.global_step // self.recipe.schedule.round

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """A checkpoint is written at the end of a round, before Lightning has counted it as over.

        Resumed as it is, a run would first end that round: with validation, or else with one step more.
        """
        progress = checkpoint["loops"]["fit_loop"]
        for counts in progress["epoch_progress"].values():
            counts.update(dict.fromkeys(counts, counts["processed"]))
        batches = progress["epoch_loop.batch_progress"]
        batches["current"] = dict.fromkeys(batches["current"], 0)
        batches["is_last_batch"] = False
        if self.begin_with:
            checkpoint["state_dict"] = dict(self.begin_with)
        if (self.begin_with or self.recipe.model.only_labels) and "current_model_state" in checkpoint:
            # Averages of the weights are what is exported: those are the maps that stay, not the last step's.
            checkpoint["current_model_state"] = dict(checkpoint["state_dict"])

    def on_train_batch_start(self, batch: dict[str, Tensor], index: int) -> None:
        """Dropout follows from the step's number, so that a resumed run is the same run."""
        torch.manual_seed(self.recipe.seed * 1_000_003 + self.global_step)

    def training_step(self, batch: dict[str, Tensor], index: int) -> Tensor:
        """The losses of one batch."""
        outputs = self(batch["image"])
        with torch.autocast(self.device.type, enabled=False):
            loss, each = total_loss(outputs, batch, self.recipe.losses)
        self.log_dict({f"loss/{name}": value for name, value in each.items()}, on_step=True)
        self.log("loss", loss, prog_bar=True)
        return loss

    def on_validation_epoch_start(self) -> None:
        """Counts begin at zero."""
        self.counts = {}

    def validation_step(self, batch: dict[str, Tensor], index: int, dataloader_idx: int = 0) -> None:
        """Counts of pixels and photos, pooled over the whole of val."""
        outputs = {name: output.float() for name, output in self(batch["image"]).items()}
        told = outputs["types"] > 0
        truth = batch["types"] > 127
        known = batch["types_known"][:, :, None, None]
        self._add("types/both", (told & truth & known).sum((0, 2, 3)))
        self._add("types/either", ((told | truth) & known).sum((0, 2, 3)))
        told_any, truth_any = outputs["any"][:, 0] > 0, batch["any"] > 127
        any_known = batch["any_known"][:, None, None] & batch["damage"].eq(1)[:, None, None]
        self._add("any/both", (told_any & truth_any & any_known).sum())
        self._add("any/either", ((told_any | truth_any) & any_known).sum())
        parts, told_parts = batch["parts"], outputs["parts"].argmax(1)
        there = (parts != IGNORE) & batch["vehicle"].ne(0)[:, None, None]
        ids = torch.arange(outputs["parts"].shape[1] - 1, device=parts.device).view(-1, 1, 1, 1)
        self._add("parts/both", ((told_parts == ids) & (parts == ids) & there).sum((1, 2, 3)))
        self._add("parts/either", (((told_parts == ids) | (parts == ids)) & there).sum((1, 2, 3)))
        for gate in ("vehicle", "damage"):
            judged = batch["vehicle"].ne(0) if gate == "damage" else torch.ones_like(batch[gate], dtype=torch.bool)
            for answer in (0, 1):
                asked = batch[gate].eq(answer) & judged
                self._add(f"{gate}/{answer}/asked", asked.sum())
                self._add(f"{gate}/{answer}/right", (asked & (outputs[gate][:, 0].gt(0) == bool(answer))).sum())

    def _add(self, name: str, value: Tensor) -> None:
        self.counts[name] = self.counts.get(name, torch.zeros_like(value)) + value

    def on_validation_epoch_end(self) -> None:
        """Ratios of the counts, logged and appended to `metrics.jsonl`."""
        figures: dict[str, float] = {"step": self.global_step, "time": round(time.time())}
        types = _ratio(self.counts["types/both"], self.counts["types/either"])
        figures |= {f"iou/{name}": types[place].item() for place, name in enumerate(self.recipe.classes.damage)}
        figures["iou/mean"] = types.nanmean().item()
        figures["iou/any"] = _ratio(self.counts["any/both"], self.counts["any/either"]).item()
        figures["iou/parts"] = _ratio(self.counts["parts/both"], self.counts["parts/either"]).nanmean().item()
        for gate in ("vehicle", "damage"):
            for answer in (0, 1):
                asked, right = self.counts[f"{gate}/{answer}/asked"], self.counts[f"{gate}/{answer}/right"]
                figures[f"{gate}/right/{answer}"] = _ratio(right, asked).item()
        self.log("iou_mean", figures["iou/mean"], prog_bar=True)
        for name, value in self.trainer.callback_metrics.items():
            if name.startswith("loss"):
                figures[name] = float(value)
        with (Path(self.trainer.default_root_dir) / "metrics.jsonl").open("a") as file:
            file.write(json.dumps({name: round(value, 4) for name, value in figures.items()}) + "\n")

    def configure_optimizers(self) -> Any:
        """AdamW with warm-up, a constant stretch and a linear decay; the pretrained encoder at a rate of its own."""
        plan = self.recipe.schedule
        groups: dict[tuple[bool, bool], list[Tensor]] = {}
        for name, parameter in self.network.named_parameters():
            if parameter.requires_grad:
                groups.setdefault((name.startswith("encoder."), parameter.ndim > 1), []).append(parameter)
        optimizer = torch.optim.AdamW(
            [
                {
                    "params": parameters,
                    "lr": plan.encoder_rate if in_encoder else plan.rate,
                    "weight_decay": plan.weight_decay if is_matrix else 0.0,
                }
                for (in_encoder, is_matrix), parameters in groups.items()
            ]
        )
        scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: rate_at(step, self.recipe))
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": scheduler, "interval": "step"}}


def rate_at(step: int, recipe: Recipe) -> float:
    """Share of the full rate at a step.

    The rate stays constant until the last `decay` share of `steps`; only then it falls, so a longer run can go on from any
    checkpoint of the constant stretch (Hägele et al. 2024, "Scaling Laws and Compute-Optimal Training Beyond Fixed Training
    Durations").
    """
    plan = recipe.schedule
    if step < plan.warmup:
        return (step + 1) / plan.warmup
    if step < plan.decay_from:
        return 1.0
    return max(0.0, (plan.steps - step) / (plan.steps - plan.decay_from))


def _ratio(part: Tensor, whole: Tensor) -> Tensor:
    return part / whole  # 0/0 is NaN: not judged


def moving_average(decay: float) -> Callable[[Tensor, Tensor, Tensor | int], Tensor]:
    """Exponential average of the weights that starts short, so that the random start is soon forgotten."""

    def average(averaged: Tensor, current: Tensor, count: Tensor | int) -> Tensor:
        if not averaged.is_floating_point():
            return current  # batch norm's counters
        n = int(count)
        return averaged.lerp(current, 1 - min(decay, (1 + n) / (10 + n)))

    return average


def keep_memory() -> None:
    """Tells glibc to reuse the memory of a step's large arrays instead of asking the system for it, zeroed, each time.

    On two cores that is a fifth of a step. Where there is no glibc, nothing happens.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):
        return
    trim_threshold, mmap_max, arena_max = -1, -4, -8  # names of malloc.h
    mallopt(arena_max, 1)
    mallopt(mmap_max, 0)
    mallopt(trim_threshold, 2**31 - 1)


class _Progress(Callback):
    """One line a round in the log, for runs without a terminal."""

    def __init__(self) -> None:
        self.started = time.monotonic()

    def on_train_epoch_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        seconds = time.monotonic() - self.started
        self.started = time.monotonic()
        losses = {
            name[5:]: round(float(value), 3) for name, value in trainer.callback_metrics.items() if name.startswith("loss/")
        }
        sys.stderr.write(f"step {trainer.global_step}  {seconds:.0f} s a round  {losses}\n")
        sys.stderr.flush()


class _Checkpoints(Callback):
    """Writes the run's checkpoint after every round; a kill at any moment leaves a whole one."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def on_train_epoch_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        part = self.path.with_name(f".{self.path.name}.part")
        trainer.save_checkpoint(part)
        part.replace(self.path)


def train(
    recipe: Recipe,
    *,
    data: Path,
    output: Path,
    resume: Path | None = None,
    average_with: Sequence[Path] = (),
    progress: bool = False,
) -> Path:
    """Trains, and returns the path of the last checkpoint.

    Args:
        recipe: what to train, and how.
        data: folder that the recipe's paths are relative to.
        output: the run's folder; made if need be.
        resume: checkpoint to go on from.
        average_with: other checkpoints of the same network; the run begins with the mean of the weights of all.
        progress: show a progress bar.

    Raises:
        ConfigError: the checkpoint to resume is missing or was made by a recipe with another network.
        DatasetError: photos or labels cannot be read.
    """
    if resume is not None and not resume.is_file():
        raise ConfigError(f"{resume}: no checkpoint to resume; leave out --resume to start anew")
    if resume is None and recipe.model.only_labels:
        raise ConfigError(f"recipe {recipe.name}: model.only_labels needs a trained network; say which with --from")
    last = output / "last.ckpt"
    if average_with and resume in (None, last):
        raise ConfigError("--average-with averages with the checkpoint of --from, in a run of its own; give that, too")
    if last.exists() and resume != last:
        raise ConfigError(f"{output}: holds a run already; go on with --resume, or give the new one another folder with -o")
    every = [read_source(source, data, "train", recipe.classes) for source in recipe.data.train]
    check_origins(recipe, (sample.source or "" for source in every for sample in source))
    sources = [hold_out(source, recipe.data.hold_out)[0] for source in every]
    judges = [read_source(source, data, "val", recipe.classes) for source in recipe.data.val]
    lightning.seed_everything(recipe.seed, verbose=False)  # before the first random weight
    lesson = Lesson(recipe, data if resume is None else None)
    steps_taken = 0 if resume is None else _steps_taken(resume, lesson)
    if resume is not None and average_with:
        lesson.begin_with = average_weights(_read_checkpoint(resume)["state_dict"], average_with)
    keep_memory()
    output.mkdir(parents=True, exist_ok=True)
    (output / "recipe.yaml").write_text(yaml.safe_dump(recipe.model_dump(mode="json"), sort_keys=False), encoding="utf-8")
    (output / "data.txt").write_text(f"{data.resolve()}\n", encoding="utf-8")
    train_loader = DataLoader(
        Views(sources, recipe, train=True),
        batch_sampler=MixedBatches(sources, recipe, first_round=steps_taken // recipe.schedule.round),
        num_workers=recipe.data.workers,
        persistent_workers=recipe.data.workers > 0,
    )
    val_loader = DataLoader(Views(judges, recipe, train=False), batch_size=16, num_workers=recipe.data.workers)
    trainer = lightning.Trainer(
        default_root_dir=output,
        max_epochs=-1,
        max_steps=recipe.schedule.steps,
        # Answers for the photo as a whole must fit what serving computes: single precision; bfloat16 moved some by 3 in logits.
        precision="32-true" if recipe.model.only_labels else "bf16-mixed",
        callbacks=[
            WeightAveraging(avg_fn=moving_average(recipe.schedule.average)),
            _Progress(),
            _Checkpoints(last),
        ],
        check_val_every_n_epoch=recipe.schedule.validate_every,
        num_sanity_val_steps=0,
        gradient_clip_val=5.0,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=progress,
        enable_model_summary=False,
        use_distributed_sampler=False,
    )
    val_loaders = val_loader if judges else None
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message=r".*module\(s\) in eval mode")  # frozen stages are, on purpose
            trainer.fit(lesson, train_loader, val_loaders, ckpt_path=resume, weights_only=True if resume else None)
    except DentifyError as error:
        raise type(error)(_last_line(error)) from error
    if trainer.interrupted:
        raise KeyboardInterrupt
    return last


def _last_line(error: DentifyError) -> str:
    """What an error says. Where it was raised in another process, torch puts a traceback before it."""
    text = str(error).strip()
    return text.rpartition("\n")[2].partition(": ")[2] if "\n" in text else text


def check_origins(recipe: Recipe, sources: Iterable[str]) -> None:
    """A bundle names origin and licence of all its photos.

    Raises:
        ConfigError: the recipe says nothing of one of the sources.
    """
    missing = sorted(set(sources) - set(recipe.origins))
    if missing:
        raise ConfigError(
            f"recipe {recipe.name}: `origins` says nothing of {', '.join(missing)}; a bundle names origin and licence of photos"
        )


def _steps_taken(checkpoint: Path, lesson: Lesson) -> int:
    """How far a checkpoint is, after checking that it is one of this network."""
    state = _read_checkpoint(checkpoint)
    shapes = {name: value.shape for name, value in lesson.state_dict().items()}
    if shapes != {name: value.shape for name, value in state["state_dict"].items()}:
        raise ConfigError(f"{checkpoint}: is of another network than the recipe's; resume with the recipe that it came from")
    return int(state["global_step"])


def _read_checkpoint(checkpoint: Path) -> Mapping[str, Any]:
    """A checkpoint's numbers. Nothing in the file is run: whoever sends one cannot send code."""
    try:
        state: Mapping[str, Any] = torch.load(checkpoint, map_location="cpu", weights_only=True)
        state["state_dict"], state["global_step"]
    except OSError as error:
        raise ConfigError(f"{checkpoint}: cannot be read: {error.strerror or error}") from error
    except Exception as error:  # torch and pickle raise nearly anything on a file that is none of theirs
        raise ConfigError(f"{checkpoint}: is no checkpoint of `dentify train`") from error
    return state


def load_lesson(checkpoint: Path) -> Lesson:
    """The network of a checkpoint, with averaged weights, in evaluation mode.

    Raises:
        ConfigError: the file is no checkpoint of `train`, or its run's `recipe.yaml` is not beside it.
    """
    recipe_file = checkpoint.parent / "recipe.yaml"
    if not recipe_file.is_file():
        raise ConfigError(f"{checkpoint}: the run's recipe.yaml must lie beside it")
    recipe = Recipe.model_validate(yaml.safe_load(recipe_file.read_text(encoding="utf-8")))
    lesson = Lesson(recipe, None)
    state = _read_checkpoint(checkpoint)
    try:
        lesson.load_state_dict(state["state_dict"])
    except RuntimeError as error:
        raise ConfigError(f"{checkpoint}: is of another network than the recipe.yaml beside it") from error
    return lesson.eval()


def average_weights(own: Mapping[str, Tensor], checkpoints: Sequence[Path]) -> dict[str, Tensor]:
    """The mean of a network's weights and those of other checkpoints of it.

    Runs that went on from one checkpoint in different ways can be averaged: what one learned and what the other would have
    forgotten are both kept (Wortsman et al. 2022, "Model soups").

    Raises:
        ConfigError: a file is no checkpoint, or is of another network.
    """
    sums = {name: value.double() for name, value in own.items()}
    for checkpoint in checkpoints:
        theirs = _read_checkpoint(checkpoint)["state_dict"]
        if {name: value.shape for name, value in theirs.items()} != {name: value.shape for name, value in own.items()}:
            raise ConfigError(f"{checkpoint}: is of another network than the checkpoint that it is to be averaged with")
        sums = {name: value + theirs[name].double() for name, value in sums.items()}
    return {name: (value / (1 + len(checkpoints))).to(own[name].dtype) for name, value in sums.items()}


def parameter_count(lesson: Lesson) -> int:
    """Trainable numbers of the network."""
    return int(np.sum([parameter.numel() for parameter in lesson.network.parameters()]))
