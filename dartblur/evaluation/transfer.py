"""Whether a suppression transfers: the figures of :mod:`dartblur.evaluation.suppression` for detector families that took no part in training U."""

from collections.abc import Mapping, Sequence
from typing import Any

from dartblur.evaluation.suppression import summarise

OURS = "dartblur"
SMALLEST_SUPPRESSION = 0.01
"""Of RetinaFace. Below it nothing is there to transfer, and the ratio would be noise over noise."""
SWITCHED_OFF = "evaluate.transfer names no other family of detectors"
NOT_TRAINED = "no other family of detectors is trained on this arm"


def transfer(results: Mapping[str, Sequence[Mapping[str, Any]]], trained: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """The figures of every arm for the other families.

    Args:
        results: family -> results of its trainings, as :func:`dartblur.evaluation.suppression.summarise` takes them.
        trained: arm -> figures of RetinaFace, as it returns them.

    Returns:
        Arm of ``trained`` -> ``transfer``: family -> ``ap``, ``ap_self``, ``gap``, ``suppression`` and ``shortcut``, for dartblur also
        ``transfer_ratio``: the family's suppression over RetinaFace's, None with ``transfer_ratio_reason`` where it cannot be had. ``transfer``
        is None with ``transfer_reason`` where no other family was trained on the arm.
    """
    figures = {family: summarise(trainings) for family, trainings in results.items()}
    found: dict[str, dict[str, Any]] = {}
    for arm in trained:
        families = {family: dict(arms[arm]) for family, arms in figures.items() if arm in arms}
        if arm == OURS:
            for own in families.values():
                own.update(_ratio(own["suppression"], trained[arm]["suppression"]))
        found[arm] = {"transfer": families} if families else {"transfer": None, "transfer_reason": NOT_TRAINED if results else SWITCHED_OFF}
    return found


def _ratio(own: Mapping[str, Any], retinaface: Mapping[str, Any]) -> dict[str, Any]:
    for figure, whose in ((retinaface, "RetinaFace"), (own, "this family")):
        if figure["mean"] is None:
            return {"transfer_ratio": None, "transfer_ratio_reason": f"no suppression of {whose}: {figure['reason']}"}
    if retinaface["mean"] < SMALLEST_SUPPRESSION:
        reason = f"the suppression of RetinaFace is {retinaface['mean']:.4f}, below {SMALLEST_SUPPRESSION}: there is nothing to transfer"
        return {"transfer_ratio": None, "transfer_ratio_reason": reason}
    return {"transfer_ratio": own["mean"] / retinaface["mean"]}
