"""Losses: each against figures worked out by hand and against another's code; what is unknown costs and teaches nothing."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the extra `train`")

from scipy.ndimage import distance_transform_edt
from torch import Tensor

from dentify.training import losses
from dentify.training.losses import IGNORE

SURE = 8.0
KNOWN = torch.tensor([[[[True]], [[True]]], [[[True]], [[False]]]])  # (2 photos, 2 classes, 1, 1): the last was not labelled

OVERLAPPING: dict[str, Callable[[Tensor, Tensor, Tensor], Tensor]] = {
    "cross_entropy": losses.binary_cross_entropy,
    "focal": losses.binary_focal,
    "dice": lambda logits, truth, known: losses.dice(logits.sigmoid(), truth, known),
    "tversky": lambda logits, truth, known: losses.tversky(logits.sigmoid(), truth, known),
    "lovasz": lambda logits, truth, known: losses.lovasz(losses.hinge_errors(logits, truth), truth, known),
    "boundary": lambda logits, truth, known: losses.boundary(logits.sigmoid(), truth, known),
    "centres": losses.centres,
}


def softmax_lovasz(logits: Tensor, truth: Tensor) -> Tensor:
    hot, known = losses.one_hot(truth, logits.shape[1])
    return losses.lovasz((hot - logits.softmax(1)).abs(), hot, known)


EXCLUSIVE: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "cross_entropy": losses.cross_entropy,
    "weighted": lambda logits, truth: losses.cross_entropy(logits, truth, (0.5, 1.5, 4.0)),
    "focal": losses.focal,
    "dice": lambda logits, truth: losses.dice(logits.softmax(1), *losses.one_hot(truth, logits.shape[1])),
    "tversky": lambda logits, truth: losses.tversky(logits.softmax(1), *losses.one_hot(truth, logits.shape[1])),
    "lovasz": softmax_lovasz,
    "boundary": lambda logits, truth: losses.boundary(logits.softmax(1), *losses.one_hot(truth, logits.shape[1])),
}


@pytest.fixture
def logits() -> Tensor:
    return torch.randn(2, 2, 6, 6, generator=torch.Generator().manual_seed(1), requires_grad=True)


@pytest.fixture
def truth() -> Tensor:
    """Of overlapping classes: both on both photos."""
    truth = torch.zeros(2, 2, 6, 6)
    truth[0, 0, 1:4, 2:5] = 1
    truth[0, 1, :2, :2] = 1
    truth[1, :, 3:, 3:] = 1
    return truth


@pytest.fixture
def three() -> Tensor:
    """Logits of three exclusive classes."""
    return torch.randn(2, 3, 6, 6, generator=torch.Generator().manual_seed(2), requires_grad=True)


@pytest.fixture
def indices() -> Tensor:
    """Of exclusive classes: all three, and unknown pixels on both photos."""
    truth = torch.zeros(2, 6, 6, dtype=torch.long)
    truth[0, 2:4, 1:5] = 1
    truth[1, 3:, :3] = 2
    truth[0, 0] = IGNORE
    truth[1, :, 4:] = IGNORE
    return truth


def left_out(truth: Tensor) -> Tensor:
    """Truth of overlapping classes as others write it: what is unknown is `IGNORE`."""
    return torch.where(KNOWN, truth, torch.full_like(truth, IGNORE))


class TestAsOthersReckon:
    """segmentation_models_pytorch, with what it leaves out and smooths set to ours."""

    @pytest.fixture(autouse=True)
    def _theirs(self) -> None:
        self.smp = pytest.importorskip("segmentation_models_pytorch").losses

    def test_binary_cross_entropy(self, logits: Tensor, truth: Tensor) -> None:
        theirs = self.smp.SoftBCEWithLogitsLoss(ignore_index=IGNORE, reduction="sum")(logits, left_out(truth)) / (3 * 36)
        torch.testing.assert_close(losses.binary_cross_entropy(logits, truth, KNOWN), theirs)

    def test_cross_entropy(self, three: Tensor, indices: Tensor) -> None:
        theirs = self.smp.SoftCrossEntropyLoss(ignore_index=IGNORE, smooth_factor=0.0, reduction="sum")(three, indices)
        torch.testing.assert_close(losses.cross_entropy(three, indices), theirs / (indices != IGNORE).sum())

    @pytest.mark.parametrize("alpha", [None, 0.25])
    @pytest.mark.parametrize("gamma", [2.0, 3.0])
    def test_binary_focal(self, logits: Tensor, truth: Tensor, gamma: float, alpha: float | None) -> None:
        theirs = self.smp.FocalLoss("binary", gamma=gamma, alpha=alpha, ignore_index=IGNORE)(logits, left_out(truth))
        torch.testing.assert_close(losses.binary_focal(logits, truth, KNOWN, gamma=gamma, alpha=alpha), theirs)

    @pytest.mark.parametrize("gamma", [2.0, 3.0])
    def test_focal_of_exclusive_classes(self, three: Tensor, indices: Tensor, gamma: float) -> None:
        known = indices != IGNORE
        reckon = self.smp._functional.softmax_focal_loss_with_logits
        theirs = reckon(three.permute(0, 2, 3, 1)[known], indices[known], gamma=gamma)
        torch.testing.assert_close(losses.focal(three, indices, gamma=gamma), theirs)

    def test_dice(self, logits: Tensor, truth: Tensor, three: Tensor, indices: Tensor) -> None:
        theirs = self.smp.DiceLoss("multilabel", smooth=0.5, ignore_index=IGNORE)(logits, left_out(truth))
        torch.testing.assert_close(OVERLAPPING["dice"](logits, truth, KNOWN), theirs)
        theirs = self.smp.DiceLoss("multiclass", smooth=0.5, ignore_index=IGNORE)(three, indices)
        torch.testing.assert_close(EXCLUSIVE["dice"](three, indices), theirs)

    def test_dice_of_the_classes_that_are_shown(self, three: Tensor, indices: Tensor) -> None:
        indices[indices == 2] = 0
        theirs = self.smp.DiceLoss("multiclass", smooth=0.5, ignore_index=IGNORE)(three, indices)  # a mean over all three
        torch.testing.assert_close(EXCLUSIVE["dice"](three, indices), theirs * 3 / 2)

    @pytest.mark.parametrize(("alpha", "beta"), [(0.3, 0.7), (0.5, 0.5), (1.0, 0.2)])
    def test_tversky(self, logits: Tensor, truth: Tensor, three: Tensor, indices: Tensor, alpha: float, beta: float) -> None:
        how = {"smooth": 0.5, "alpha": alpha, "beta": beta, "ignore_index": IGNORE}
        ours = losses.tversky(logits.sigmoid(), truth, KNOWN, alpha=alpha, beta=beta)
        torch.testing.assert_close(ours, self.smp.TverskyLoss("multilabel", **how)(logits, left_out(truth)))
        ours = losses.tversky(three.softmax(1), *losses.one_hot(indices, 3), alpha=alpha, beta=beta)
        torch.testing.assert_close(ours, self.smp.TverskyLoss("multiclass", **how)(three, indices))

    def test_lovasz(self, logits: Tensor, truth: Tensor, three: Tensor, indices: Tensor) -> None:
        reckon = self.smp.LovaszLoss("binary", ignore_index=IGNORE)
        theirs = sum(reckon(logits[:, place], left_out(truth)[:, place]) for place in (0, 1)) / 2
        torch.testing.assert_close(OVERLAPPING["lovasz"](logits, truth, KNOWN), theirs)
        theirs = self.smp.LovaszLoss("multiclass", ignore_index=IGNORE)(three, indices)
        torch.testing.assert_close(EXCLUSIVE["lovasz"](three, indices), theirs)


class TestUnknown:
    """Is not absent."""

    @pytest.mark.parametrize("name", sorted(OVERLAPPING))
    def test_a_type_that_nobody_labelled_changes_and_teaches_nothing(self, name: str, logits: Tensor, truth: Tensor) -> None:
        value = OVERLAPPING[name](logits, truth, KNOWN)
        value.backward()
        assert logits.grad is not None
        assert not logits.grad[1, 1].any()
        assert logits.grad[0].any(dim=2).any(dim=1).all()
        assert logits.grad[1, 0].any()
        other, guess = truth.clone(), logits.detach().clone()
        other[1, 1], guess[1, 1] = 1 - truth[1, 1], -3 * guess[1, 1]
        torch.testing.assert_close(OVERLAPPING[name](guess, other, KNOWN), value.detach())

    @pytest.mark.parametrize("name", sorted(EXCLUSIVE))
    def test_unknown_pixels_change_and_teach_nothing(self, name: str, three: Tensor, indices: Tensor) -> None:
        value = EXCLUSIVE[name](three, indices)
        value.backward()
        assert three.grad is not None
        taught = three.grad.abs().sum(1) > 0
        assert not taught[indices == IGNORE].any()
        assert taught[indices != IGNORE].any()
        guess = torch.where((indices == IGNORE)[:, None], -5 * three.detach().flip(1), three.detach())
        torch.testing.assert_close(EXCLUSIVE[name](guess, indices), value.detach())

    @pytest.mark.parametrize("name", sorted(OVERLAPPING))
    def test_photos_of_which_nothing_is_known_leave_the_batchs_loss_as_it_is(
        self, name: str, logits: Tensor, truth: Tensor
    ) -> None:
        known = torch.cat([KNOWN, torch.zeros(1, 2, 1, 1, dtype=torch.bool)])
        more, goal = torch.cat([logits, logits[:1] * 4]), torch.cat([truth, 1 - truth[:1]])
        torch.testing.assert_close(OVERLAPPING[name](more, goal, known), OVERLAPPING[name](logits, truth, KNOWN))

    def test_nothing_known_is_zero_and_not_nan(self, logits: Tensor, truth: Tensor, three: Tensor) -> None:
        nobody = torch.zeros(2, 2, 1, 1, dtype=torch.bool)
        values = [loss(logits, truth, nobody) for loss in OVERLAPPING.values()]
        values += [loss(three, torch.full((2, 6, 6), IGNORE)) for loss in EXCLUSIVE.values()]
        values += [
            losses.boxes(logits, truth, nobody[..., 0, 0]),
            losses.offsets(logits, torch.full((2, 2, 6, 6), math.nan)),
            losses.yes_or_no(logits[:, 0, 0, 0], torch.full((2,), math.nan)),
            losses.cross_entropy(three[:, :, 0, 0], torch.full((2,), IGNORE), (1.0, 2.0, 3.0)),
        ]
        assert [value.item() for value in values] == [0.0] * len(values)
        sum(values).backward()
        for taught in (logits, three):
            assert taught.grad is not None
            assert not taught.grad.any()


def test_right_maps_cost_little_and_wrong_ones_much(truth: Tensor, indices: Tensor) -> None:
    known = torch.ones(2, 2, 1, 1, dtype=torch.bool)
    right, hot = (2 * truth - 1) * SURE, losses.one_hot(indices, 3)[0] * 2 * SURE
    for name in ("cross_entropy", "focal", "dice", "tversky", "lovasz"):
        assert OVERLAPPING[name](right, truth, known) < 0.02
        assert OVERLAPPING[name](-right, truth, known) > 0.8
        assert EXCLUSIVE[name](hot, indices) < 0.02
        assert EXCLUSIVE[name](-hot, indices) > 0.8
    assert OVERLAPPING["boundary"](right, truth, known) < OVERLAPPING["boundary"](-right, truth, known)


def test_cross_entropy_weighs_classes() -> None:
    logits = torch.tensor([[1.0, 0.0], [0.0, 2.0], [9.0, 9.0]])
    truth = torch.tensor([0, 0, IGNORE])
    right, wrong = math.log(1 + math.exp(-1)), math.log(1 + math.exp(2))
    assert losses.cross_entropy(logits, truth).item() == pytest.approx((right + wrong) / 2)
    other = torch.tensor([0, 1, IGNORE])
    told = math.log(1 + math.exp(-2))
    assert losses.cross_entropy(logits, other, (1.0, 3.0)).item() == pytest.approx((right + 3 * told) / 4)


def test_cross_entropy_is_torchs_mean(three: Tensor, indices: Tensor) -> None:
    weights = torch.tensor([0.5, 1.5, 4.0])
    theirs = torch.nn.CrossEntropyLoss(weights, ignore_index=IGNORE)(three, indices)
    torch.testing.assert_close(EXCLUSIVE["weighted"](three, indices), theirs)
    assert not torch.isclose(EXCLUSIVE["weighted"](three, indices), EXCLUSIVE["cross_entropy"](three, indices))


def test_dice_pools_the_pixels_of_all_photos() -> None:
    truth, probs = torch.zeros(2, 1, 1, 4), torch.zeros(2, 1, 1, 4)
    truth[0, ..., :2], truth[1, ..., :1] = 1, 1
    probs[0, ..., :2], probs[1, ..., :4] = 1, 0.5
    # 2.5 of 3 are found, 4 are told
    assert losses.dice(probs, truth, torch.tensor(True)).item() == pytest.approx(1 - (2 * 2.5 + 1) / (3 + 4 + 1))


def test_what_is_partly_covered_counts_in_part() -> None:
    truth = torch.full((1, 1, 2, 2), 0.5)
    assert losses.dice(torch.ones(1, 1, 2, 2), truth, torch.tensor(True)).item() == pytest.approx(1 - (2 * 2 + 1) / (4 + 2 + 1))


def test_lovasz_of_right_and_wrong_pixels_is_one_minus_the_iou() -> None:
    truth, told = torch.tensor([[1.0, 1, 1, 0, 0]]), torch.tensor([[1.0, 0, 0, 1, 0]])
    errors = (truth - told).abs()[None, None]
    assert losses.lovasz(errors, truth[None, None], torch.tensor(True)).item() == pytest.approx(1 - 1 / 4)


def test_boundary_is_the_mean_of_signed_distances(logits: Tensor, truth: Tensor) -> None:
    total = 0.0
    for photo, place in ((0, 0), (0, 1), (1, 0)):
        inside = truth[photo, place].numpy() > 0
        distance = distance_transform_edt(~inside) - distance_transform_edt(inside)
        total += (logits[photo, place].sigmoid().detach().numpy() * distance / 6).sum()
    assert OVERLAPPING["boundary"](logits, truth, KNOWN).item() == pytest.approx(total / (3 * 36), rel=1e-5)


def test_boundary_asks_for_classes_that_are_shown_alone(logits: Tensor, truth: Tensor) -> None:
    truth[0, 1] = 0
    OVERLAPPING["boundary"](logits, truth, KNOWN).backward()
    assert logits.grad is not None
    assert not logits.grad[0, 1].any()


def test_what_fills_a_photo_has_no_boundary() -> None:
    probs, full = torch.rand(1, 1, 4, 6), torch.ones(1, 1, 4, 6)
    assert losses.boundary(probs, full, torch.tensor(True)) == 0


class TestBoxes:
    """What a box teaches without an outline."""

    KNOWN = torch.ones(1, 1, dtype=torch.bool)

    @pytest.fixture
    def box(self) -> Tensor:
        box = torch.zeros(1, 1, 16, 16)
        box[:, :, 4:10, 4:10] = 1
        return box

    def test_something_in_each_row_and_column_but_not_in_all_of_it(self, box: Tensor) -> None:
        thin = torch.full((1, 1, 16, 16), -SURE)
        for place in range(4, 10):
            thin[:, :, place, place] = SURE  # a diagonal scratch, corner to corner
        half = torch.full((1, 1, 16, 16), -SURE)
        half[:, :, 4:7, 4:10] = SURE
        outside = (1 - box) * 2 * SURE - SURE
        diagonal, partly, wrong = (losses.boxes(logits, box, self.KNOWN) for logits in (thin, half, outside))
        assert diagonal < 0.05 < partly < wrong

    def test_by_hand(self) -> None:
        box, logits = torch.zeros(1, 1, 2, 2), torch.full((1, 1, 2, 2), -20.0)
        box[..., 0, :] = 1
        logits[..., 0, 0], logits[..., 1, 1] = 0.0, 0.0
        # outside: log 2 on one of four pixels, four times; rows have 0.5 of 1, columns 0.5 and 0 of 1 and 1
        rows, columns = 1 - (2 * 0.5 + 1) / (0.25 + 1 + 1), 1 - (2 * 0.5 + 1) / (0.25 + 2 + 1)
        assert losses.boxes(logits, box, self.KNOWN).item() == pytest.approx(math.log(2) + (rows + columns) / 2, rel=1e-5)

    def test_outlined_and_unlabelled_classes_are_not_asked(self, box: Tensor) -> None:
        logits = torch.randn(2, 1, 16, 16, requires_grad=True)
        value = losses.boxes(logits, box.expand(2, -1, -1, -1), torch.tensor([[True], [False]]))
        value.backward()
        assert torch.isclose(value, losses.boxes(logits[:1], box, self.KNOWN))
        assert logits.grad is not None
        assert logits.grad[0].any()
        assert not logits.grad[1].any()


class TestMiddles:
    """Centres and offsets."""

    def test_centres_by_hand(self) -> None:
        truth = torch.tensor([1.0, 0.5, 0.0]).reshape(1, 1, 1, 3)
        hit, near, far = 0.25 * math.log(2), 0.5**4 * 0.25 * math.log(2), 0.25 * math.log(2)
        value = losses.centres(torch.zeros(1, 1, 1, 3), truth, torch.tensor(True))
        assert value.item() == pytest.approx(hit + near + far)

    def test_centres_are_shared_out_among_instances(self) -> None:
        truth = torch.tensor([1.0, 0.0, 1.0, 0.0]).reshape(1, 1, 1, 4)
        one = losses.centres(torch.zeros(1, 1, 1, 2), truth[..., :2], torch.tensor(True))
        torch.testing.assert_close(losses.centres(torch.zeros(1, 1, 1, 4), truth, torch.tensor(True)), one)

    def test_offsets_are_judged_on_instances_only(self) -> None:
        truth = torch.full((1, 2, 4, 4), math.nan)
        truth[0, :, 1, 1] = 0.02
        told = torch.full((1, 2, 4, 4), 9.0)
        told[0, :, 1, 1] = 0.03
        assert losses.offsets(told, truth).item() == pytest.approx(1.0, abs=1e-4)  # one hundredth of the side

    def test_offsets_teach_nothing_elsewhere(self) -> None:
        told = torch.zeros(1, 2, 4, 4, requires_grad=True)
        truth = torch.full((1, 2, 4, 4), math.nan)
        truth[0, :, 1, 1] = 0.02
        losses.offsets(told, truth).backward()
        assert told.grad is not None
        assert told.grad.nonzero().tolist() == [[0, 0, 1, 1], [0, 1, 1, 1]]


class TestYesOrNo:
    """Of whole photos."""

    def test_the_photos_that_say_are_learned_from(self) -> None:
        logits = torch.tensor([SURE, -SURE, SURE], requires_grad=True)
        value = losses.yes_or_no(logits, torch.tensor([1.0, 0.0, math.nan]))
        assert value.item() == pytest.approx(math.log(1 + math.exp(-SURE)), rel=1e-3)
        assert losses.yes_or_no(logits, torch.tensor([1.0, 1.0, math.nan])) > 3
        value.backward()
        assert logits.grad is not None
        assert logits.grad[2] == 0

    def test_smoothing_takes_a_share_of_either_answer_for_wrong(self) -> None:
        right, wrong = math.log(1 + math.exp(-1)), math.log(1 + math.exp(1))
        for logit, truth in ((1.0, 1.0), (-1.0, 0.0)):
            value = losses.yes_or_no(torch.tensor([logit]), torch.tensor([truth]), smoothing=0.1)
            assert value.item() == pytest.approx(0.9 * right + 0.1 * wrong)


class TestPairs:
    """Pictures and their texts."""

    @pytest.fixture
    def pairs(self) -> tuple[Tensor, Tensor]:
        some = torch.Generator().manual_seed(3)
        pictures, texts = (torch.nn.functional.normalize(torch.randn(4, 5, generator=some), dim=1) for _ in range(2))
        return pictures, texts

    def test_info_nce_by_its_formula(self, pairs: tuple[Tensor, Tensor]) -> None:
        likeness = np.exp(10 * pairs[0].double().numpy() @ pairs[1].double().numpy().T)
        own = np.diag(likeness)
        formula = -(np.log(own / likeness.sum(0)) + np.log(own / likeness.sum(1))).mean() / 2
        assert losses.info_nce(*pairs, 10.0).item() == pytest.approx(formula, rel=1e-5)

    def test_sigmoid_by_its_formula(self, pairs: tuple[Tensor, Tensor]) -> None:
        logits = 10 * pairs[0].double().numpy() @ pairs[1].double().numpy().T - 3
        answers = np.where(np.eye(4, dtype=bool), 1, -1)
        formula = np.log(1 + np.exp(-answers * logits)).sum() / 4
        assert losses.sigmoid(*pairs, 10.0, -3.0).item() == pytest.approx(formula, rel=1e-5)

    def test_pairs_that_belong_together_cost_little(self) -> None:
        same, other = torch.eye(4), torch.eye(4).roll(1, 0)
        assert losses.info_nce(same, same, 20.0) < 1e-6 < losses.info_nce(same, other, 20.0)
        assert losses.sigmoid(same, same, 20.0, -10.0) < 1e-3 < losses.sigmoid(same, other, 20.0, -10.0)

    def test_as_others_reckon(self, pairs: tuple[Tensor, Tensor]) -> None:
        theirs = pytest.importorskip("open_clip.loss")
        scale, bias = torch.tensor(10.0), torch.tensor(-3.0)
        torch.testing.assert_close(losses.info_nce(*pairs, scale), theirs.ClipLoss()(*pairs, scale))
        torch.testing.assert_close(losses.sigmoid(*pairs, scale, bias), theirs.SigLipLoss()(*pairs, scale, bias))


def test_a_share_of_nothing_is_nothing() -> None:
    assert losses.share(torch.tensor(0.0), torch.tensor(0.0)) == 0
    assert losses.share(torch.tensor(1.0), torch.tensor(4.0)) == 0.25


def test_one_hot_leaves_out_what_is_unknown() -> None:
    hot, known = losses.one_hot(torch.tensor([[[1, IGNORE]]]), 2)
    assert hot.tolist() == [[[[0.0, 0.0]], [[1.0, 0.0]]]]
    assert known.tolist() == [[[[True, False]]]]


def cells(*logits: list[float]) -> torch.Tensor:
    """(1, C, 1, N)."""
    return torch.tensor(logits).T[None, :, None].clone()


def test_any_of_the_allowed_classes_of_a_family_is_right() -> None:
    logits = cells([2.0, 0.0, 1.0, 7.0], [2.0, 0.0, 1.0, 7.0])
    group = torch.tensor([[[0, losses.IGNORE]]])
    told = losses.allowed(logits, group, [[True, False, True, True]], [[0, 1, 2]])
    shares = torch.tensor([2.0, 0.0, 1.0]).softmax(0)
    of_family = 1 - logits[0, :, 0, 0].softmax(0)[3]
    torch.testing.assert_close(told, -(shares[0] + shares[2]).log() * of_family)
    assert losses.allowed(logits, torch.full((1, 1, 2), losses.IGNORE), [[True, False, True, True]], [[0, 1, 2]]) == 0


@pytest.mark.parametrize("row", [[True, True, False], [False, False, True]])
def test_a_family_of_which_all_or_none_are_allowed_teaches_nothing(row: list[bool]) -> None:
    logits = cells([0.0, 3.0, 1.0]).requires_grad_()
    told = losses.allowed(logits, torch.zeros(1, 1, 1, dtype=torch.long), [row], [[0, 1]])
    told.backward()
    assert told == 0
    assert logits.grad is not None
    assert not logits.grad.any()


def test_a_class_that_is_always_allowed_is_no_way_out() -> None:
    """However often a cell that is seen from the front is taught, it is a wheel as likely as before."""
    logits = cells([0.0, 0.5, 1.0, 0.2]).requires_grad_()  # front bumper, rear bumper, wheel, none
    told = losses.allowed(logits, torch.zeros(1, 1, 1, dtype=torch.long), [[True, False, True, True]], [[0, 1]])
    told.backward()
    assert logits.grad is not None
    front, rear, wheel, none = logits.grad.flatten().tolist()
    assert front == pytest.approx(-rear)
    assert front < 0
    assert (wheel, none) == (0, 0)


def test_cells_count_as_far_as_they_are_of_the_family() -> None:
    sure, elsewhere = [0.0, 1.0, -30.0], [0.0, -1.0, 30.0]
    table, family = [[True, False, True]], [[0, 1]]
    both = losses.allowed(cells(sure, elsewhere), torch.zeros(1, 1, 2, dtype=torch.long), table, family)
    torch.testing.assert_close(both, torch.tensor(1 + math.exp(1)).log() / 2)


def test_a_thing_that_must_be_there_costs_what_it_falls_short() -> None:
    probs = torch.stack([torch.full((4, 4), share) for share in (0.0, 0.05, 0.1, 0.9)])
    one = [float(losses.too_small(probs, torch.arange(4) == place, 0.1)) for place in range(4)]
    assert one == pytest.approx([1.0, 0.25, 0.0, 0.0], abs=1e-6)
    assert losses.too_small(probs, torch.tensor([True, True, False, False]), 0.1) == pytest.approx(0.625)
    assert losses.too_small(probs, torch.zeros(4, dtype=torch.bool), 0.1) == 0


def test_features_are_as_far_apart_as_they_point() -> None:
    """Alike, at a right angle, opposite; how long they are does not matter, and a coarser grid is brought to the teacher's."""
    teacher = torch.tensor([[[[1.0, 1.0, 1.0]], [[0.0, 0.0, 0.0]]]])
    features = torch.tensor([[[[5.0, 0.0, -2.0]], [[0.0, 3.0, 0.0]]]])
    assert losses.feature_distance(features, teacher).item() == pytest.approx((0 + 1 + 2) / 3)
    assert losses.feature_distance(features[..., :1], teacher).item() == pytest.approx(0)


def test_a_middle_is_the_one_cell_of_255() -> None:
    """Around the middle of a large damage the bump is nearly as high."""
    truth = torch.tensor([[[[254.0, 255.0, 254.0]]]]) / 255
    known = torch.ones(1, 1, 1, 3, dtype=torch.bool)
    right = losses.centres(torch.tensor([[[[-4.0, 8.0, -4.0]]]]), truth, known)
    assert right < 0.01
