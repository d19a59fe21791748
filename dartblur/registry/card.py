"""The model card of a version: what it is for, where it comes from, what was measured, what it is not good for. Markdown, and the same as a page."""

import html
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dartblur.params import BLURRED, CLEAN, OURS
from dartblur.registry.gate import Decision, FloorResult

DASH = "not measured"
ATTACKERS = {"off_the_shelf": "recogniser", "parrot": "parrot", "restoration": "recogniser after restoration"}


@dataclass(frozen=True)
class Card:
    """One text, twice: ``html`` is a page that needs no network."""

    markdown: str
    html: str


def write_card(title: str, evaluation: Mapping[str, Any], lineage: Mapping[str, str], recipe: Mapping[str, Any], decision: Decision) -> Card:
    """The card of a version.

    Args:
        title: heading.
        evaluation: the content of reports/evaluation.json; what is missing in it is called not measured.
        lineage: where the model comes from, key to value. recipe: the same of how it was trained.
    """
    from jinja2 import Environment, PackageLoader
    from markdown_it import MarkdownIt

    arms = _mapping(evaluation.get("arms"))
    protocol = _mapping(evaluation.get("protocol"))
    # Not escaped, because Markdown is no HTML; what looks like HTML in the text is made harmless where the page is rendered.
    templates = Environment(loader=PackageLoader("dartblur.registry", ""), autoescape=False, undefined=_not_measured(), trim_blocks=True)  # noqa: S701
    verdict = "It passed the gate." if decision.passed else "**It did not pass the gate and must not be used.**"
    markdown = templates.get_template("card.md").render(
        title=title,
        verdict=verdict,
        lineage=[(key, _cell(value)) for key, value in sorted(lineage.items())],
        recipe=[(key, _cell(value)) for key, value in recipe.items()],
        protocol=protocol,
        privacy=_mapping(protocol.get("privacy")),
        utility=[[arm, *_utility(found)] for arm, found in arms.items()],
        attackers=[[arm, *_attackers(found)] for arm, found in arms.items()],
        matched=_matched(_at(arms, f"{OURS}.matched")),
        bounds=[_bound(floor) for floor in decision.floors],
        reasons=[_cell(reason) for reason in decision.reasons],
        large=_large(arms),
    )
    body = MarkdownIt("commonmark", {"html": False}).enable("table").render(markdown)
    page = templates.get_template("card.html").render(title=html.escape(title), body=body)
    return Card(markdown, page)


def _not_measured() -> type[Any]:
    from jinja2 import Undefined

    class NotMeasured(Undefined):
        """What the evaluation does not hold."""

        def __str__(self) -> str:
            return DASH

    return NotMeasured


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _at(values: Any, path: str) -> Any:
    for key in path.split("."):
        values = values.get(key) if isinstance(values, Mapping) else None
    return values


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _number(value: Any, digits: int = 3) -> str:
    return f"{value:.{digits}f}" if _is_number(value) else DASH


def _spread(figure: Any) -> str:
    mean, std = _at(figure, "mean"), _at(figure, "std")
    return _number(mean) + (f" ± {std:.3f}" if _is_number(mean) and _is_number(std) else "")


def _interval(ci: Any, form: str = ".3f") -> str:
    known = isinstance(ci, Sequence) and len(ci) == 2 and all(_is_number(end) for end in ci)
    return f" ({ci[0]:{form}} to {ci[1]:{form}})" if known else ""


def _utility(arm: Any) -> list[str]:
    share = _at(arm, "convenience.within_budget")
    figures = [_spread(_at(arm, key)) for key in ("ap.all", "suppression", "shortcut")]
    return [*figures, _number(_at(arm, "convenience.l1"), 1), f"{share:.0%}" if _is_number(share) else DASH]


def _attackers(arm: Any) -> list[str]:
    found = [_at(arm, f"privacy.{attacker}") for attacker in ATTACKERS]
    return [_number(_at(figures, "auc")) + _interval(_at(figures, "ci")) for figures in found]


def _matched(found: Any) -> str:
    difference, interval = _at(found, "difference"), _interval(_at(found, "ci"), "+.3f")
    if not _is_number(difference) or not interval:
        return f"Whether it is harder to recognise than an ordinary blur is not known ({_cell(_at(found, 'reason') or DASH)})."
    attacker = ATTACKERS.get(str(_at(found, "attacker")), "one")
    return f"The strongest attacker ({attacker}) differs from the ordinary blur's figure by {difference:+.3f}{interval}."


def _bound(floor: FloorResult) -> Sequence[str]:
    sign = "at least" if floor.direction == "min" else "at most"
    return floor.metric, floor.axis, f"{sign} {floor.bound:g}", DASH if floor.value is None else f"{floor.value:.4g}", "yes" if floor.ok else "**no**"


def _large(arms: Mapping[str, Any]) -> str:
    figures = [f"{_spread(_at(arms, f'{arm}.ap.easy'))} on {arm}" for arm in (CLEAN, BLURRED, OURS)]
    return f"AP of faces of the first difficulty is {', '.join(figures)}"


def _cell(value: Any) -> str:
    """Text for a cell of a Markdown table."""
    return str(value).replace("|", "/").replace("\n", " ")
