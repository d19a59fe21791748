"""Matched privacy: is a face hidden by DartBlur at its strength no easier to recognise than one under the ordinary blur?

The U-Net can buy suppression by restoring the face, so a suppression counts only at a strength where re-identification of g(x) is no higher than
that of the Gaussian blur at strength 1, which is what people accept today. With d = AUC(g) - AUC(gaussian), paired by resample of people, it is
matched where both hold:

- the lower end of the 95 % interval of d is at most 0: the data do not show g(x) to be easier;
- d itself is at most ``tolerance``: few people make a wide interval, which must not let a clear difference pass.
"""

from typing import Any

from dartblur.evaluation.verification import Judgement, compare


def matched(strength: float, attacker: str, ours: Judgement, gaussian: Judgement, tolerance: float) -> dict[str, Any]:
    """The decision and everything that it rests on.

    Args:
        strength: of the pre-blur of g(x).
        attacker: who recognised the faces.
        ours, gaussian: of g(x) and of the Gaussian blur at strength 1, by that attacker in one trial.
        tolerance: largest difference of the AUCs that still counts as equal.

    Returns:
        ``matched``, with a ``reason`` where it is False; ``strength``, ``attacker``, ``auc``, ``gaussian_auc``; ``difference`` and ``ci`` of the two;
        ``same_arm``, ``difference`` and ``ci`` where the attacker hides his own faces first, which decides nothing; ``tolerance``.
    """
    found = compare(ours, gaussian)
    figures = f"AUC {ours.auc:.3f} against {gaussian.auc:.3f}"
    reason = None
    if found.interval is None:
        reason = f"{found.paired} people with two faces to compare are too few for a confidence interval of the difference"
    elif found.interval[0] > 0:
        reason = (
            f"at strength {strength:g} a face is easier to recognise than under the ordinary blur: {figures}, "
            f"difference {found.interval[0]:.3f} to {found.interval[1]:.3f}; raise preblur.strength"
        )
    elif found.value > tolerance:
        reason = (
            f"at strength {strength:g} a face may be easier to recognise than under the ordinary blur: {figures}, "
            f"more than the tolerance of {tolerance:g} apart; raise preblur.strength, or measure more people"
        )
    return {
        "matched": reason is None,
        **({} if reason is None else {"reason": reason}),
        "strength": strength,
        "attacker": attacker,
        "auc": ours.auc,
        "gaussian_auc": gaussian.auc,
        **found.as_dict(),
        "same_arm": compare(ours, gaussian, same_arm=True).as_dict(),
        "tolerance": tolerance,
    }
