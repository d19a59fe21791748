"""Names that programs stumble over."""

import os

from tests.anonymizer.corpus.case import Case, failed
from tests.anonymizer.corpus.jpegs import PLAIN as JPEG
from tests.anonymizer.corpus.pngs import PLAIN as PNG

NAMES = (
    "ünïcödé-日本-😀.jpg",
    "two\nlines.jpg",
    "carriage\rreturn\ttab.jpg",
    "bell\x07\x1b[31mred.jpg",
    "-rf.jpg",
    "--help.jpg",
    " blank in front.jpg",
    "blank behind.jpg ",
    "quote'and\"quote.jpg",
    "comma,semicolon;.jpg",
    "$(touch nothing) `id` & | > <.jpg",
    "percent%s%n{0}{name}.jpg",
    "back\\slash\\..\\up.jpg",
    "CON.jpg",
    "colon:star*question?.jpg",
    "[1].jpg",
    "capital.JPG",
    "many.dots.in.a.name.jpg",
    "e\u0301-decomposed.jpg",
    "é-composed.jpg",
    "right-to-left-\u202egpj.jpg",
    "a/b/c/d/e/f/g/h/i/j/k/l/m/n/o/p/q/r/s/t/u/v/w/x/y/z/deep.jpg",
    os.fsdecode(b"not-utf-8-\xff\xfe.jpg"),
    os.fsdecode(b"folder-\xe9/latin-1-\xfc.jpg"),
    "l" * 251 + ".jpg",
    "ü" * 125 + ".jpg",
    "s." + "x" * 253,
)


def cases() -> list[Case]:
    """All cases of this module; two names differ by their case alone and hold different pictures."""
    written = [*(Case(f"odd/{name}", JPEG) for name in NAMES), Case("odd/Case.png", JPEG), Case("odd/case.png", PNG)]
    broken = ("\x1b[2Jclears the screen.jpg", "ends\n0 failed.jpg", os.fsdecode(b"not-utf-8-\xfe.jpg"))
    return [*written, *(failed(f"broken/{name}", JPEG[:100], "truncated") for name in broken)]
