"""Matched privacy: is a face hidden by DartBlur at its strength no easier to recognise than one under the ordinary blur?

The U-Net can buy suppression by restoring the face, so a suppression counts only at a strength where re-identification of g(x), by the strongest
attacker there is, is no higher than that of the Gaussian blur at strength 1, which is what people accept today. The strongest is the one with the
highest AUC on g(x). With d = AUC(g) - AUC(gaussian) of that attacker, paired by resample of people, it is matched where both hold, for a gallery of
clean pictures and for one that the attacker has hidden in the same way first:

- the lower end of the 95 % interval of d is at most 0: the data do not show g(x) to be easier;
- d itself is at most ``tolerance``: few people make a wide interval, which must not let a clear difference pass.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

from dartblur.evaluation.verification import Difference, Judgement, compare


class Compared(NamedTuple):
    """One attacker's judgement of g(x) and of the Gaussian blur at strength 1, in one trial."""

    ours: Judgement
    gaussian: Judgement


def matched(strength: float, attackers: Mapping[str, Compared], tolerance: float) -> dict[str, Any]:
    """The decision and everything that it rests on.

    Args:
        strength: of the pre-blur of g(x).
        attackers: who recognised the faces, at least one.
        tolerance: largest difference of the AUCs that still counts as equal.

    Returns:
        ``matched``, with a ``reason`` where it is False; ``strength``; ``attacker``, the strongest; its ``auc`` and ``gaussian_auc``, their
        ``difference`` and ``ci``; ``same_arm``, all four where the attacker hides his gallery in the same way first; ``tolerance``.
    """
    attacker = max(attackers, key=lambda name: attackers[name].ours.auc)
    ours, gaussian = attackers[attacker]
    clean, own = compare(ours, gaussian), compare(ours, gaussian, same_arm=True)
    reason = _reason(strength, attacker, "clean pictures", clean, ours.auc, gaussian.auc, tolerance) or _reason(
        strength, attacker, "pictures hidden in the same way", own, ours.auc_same_arm, gaussian.auc_same_arm, tolerance
    )
    return {
        "matched": reason is None,
        **({} if reason is None else {"reason": reason}),
        "strength": strength,
        "attacker": attacker,
        "auc": ours.auc,
        "gaussian_auc": gaussian.auc,
        **clean.as_dict(),
        "same_arm": {"auc": ours.auc_same_arm, "gaussian_auc": gaussian.auc_same_arm, **own.as_dict()},
        "tolerance": tolerance,
    }


def _reason(strength: float, attacker: str, gallery: str, found: Difference, auc: float, gaussian_auc: float, tolerance: float) -> str | None:
    """Why g(x) is not at matched privacy against one gallery; None where it is."""
    figures = f"AUC {auc:.3f} against {gaussian_auc:.3f} of the attacker {attacker} with a gallery of {gallery}"
    if found.interval is None:
        return f"{found.paired} people with two faces to compare are too few for a confidence interval of the difference"
    if found.interval[0] > 0:
        return (
            f"at strength {strength:g} a face is easier to recognise than under the ordinary blur: {figures}, "
            f"difference {found.interval[0]:.3f} to {found.interval[1]:.3f}; raise preblur.strength, and see whether the model was "
            "trained on these very people"
        )
    if found.value > tolerance:
        return (
            f"at strength {strength:g} a face may be easier to recognise than under the ordinary blur: {figures}, "
            f"more than the tolerance of {tolerance:g} apart; raise preblur.strength, or measure more people"
        )
    return None
