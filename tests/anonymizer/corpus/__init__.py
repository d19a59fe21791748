"""Files that go wrong, or hide something: made by code, each with what must become of it."""

from tests.anonymizer.corpus.broken import cases as broken
from tests.anonymizer.corpus.case import Case
from tests.anonymizer.corpus.jpegs import cases as jpegs
from tests.anonymizer.corpus.odd import cases as odd
from tests.anonymizer.corpus.others import cases as others
from tests.anonymizer.corpus.pngs import cases as pngs
from tests.anonymizer.corpus.shapes import cases as shapes

CASES: list[Case] = [case for cases in (broken, jpegs, pngs, others, odd, shapes) for case in cases()]
