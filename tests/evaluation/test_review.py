"""The review page: what it holds, and, where there is a Chromium, what its keys do."""

import json
import re
import shutil
import subprocess
from html import unescape
from pathlib import Path

import numpy as np
import pytest

from dartblur.evaluation.convenience import FaceConvenience
from dartblur.evaluation.review import Reviewed, render_review

ARMS = ("clean", "gaussian", "dartblur")
HOSTILE = '=a</script><script>alert("x")</script>.jpg'
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


def reviewed(picture: str, l1: float) -> Reviewed:
    tiles = [np.full((8, 8, 3), level, np.uint8) for level in (10, 100, 200)]
    return Reviewed(FaceConvenience(picture, (1, 2, 31, 42), l1, 20.0, 0.5), tiles)


@pytest.fixture
def page() -> str:
    return render_review("street", ARMS, [reviewed("a.jpg", 21.0), reviewed(HOSTILE, 20.0), reviewed("c.jpg", 3.25)], 20.0, 9)


def test_it_holds_every_face_and_nothing_from_elsewhere(page: str) -> None:
    (text,) = re.findall(r'<script id="data" type="application/json">(.*?)</script>', page, re.DOTALL)
    faces = json.loads(text)
    assert [face["picture"] for face in faces] == ["a.jpg", HOSTILE, "c.jpg"]
    assert [face["over"] for face in faces] == [True, False, False]
    assert (faces[0]["box"], faces[0]["width"], faces[0]["height"], faces[2]["l1"]) == ([1, 2, 31, 42], 30, 40, 3.25)
    assert all(len(face["tiles"]) == 3 and all(tile.startswith("data:image/jpeg;base64,") for tile in face["tiles"]) for face in faces)
    assert "3 of\n9." in page
    assert not re.search(r"https?://|//[a-z]+\.|@import|<link(?! rel=\"icon\" href=\"data:)", page)
    assert page.count("<script") == 2


def test_notes_belong_to_these_faces(page: str) -> None:
    def key(text: str) -> str:
        (found,) = re.findall(r'KEY = "review-" \+ "([0-9a-f]{16})"', text)
        return str(found)

    same = render_review("street", ARMS, [reviewed("a.jpg", 21.0), reviewed(HOSTILE, 20.0), reviewed("c.jpg", 3.25)], 20.0, 9)
    other = render_review("street", ARMS, [reviewed("a.jpg", 21.5), reviewed(HOSTILE, 20.0), reviewed("c.jpg", 3.25)], 20.0, 9)
    assert key(page) == key(same) != key(other)


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium here")
def test_keys_answer_move_and_filter(page: str, tmp_path: Path) -> None:
    keys = """<script>
const press = key => document.dispatchEvent(new KeyboardEvent("keydown", {key, bubbles: true}));
const say = text => document.body.append(make("pre", {className: "said", textContent: text}));
press("1"); press("2"); say(at("count").textContent);
at("note").value = 'tell, "me"'; at("note").oninput({target: at("note")});
press("k"); press("k"); press("k"); say(at("count").textContent);
press("ArrowRight"); press("2"); say(at("count").textContent);
at("filter").value = "over"; filter(); say(at("count").textContent);
at("filter").value = "open"; filter(); say(at("count").textContent);
say(csv());
</script></body>"""
    path = tmp_path / "review.html"
    path.write_text(page.replace("</body>", keys), encoding="utf-8")
    switches = (
        "--headless --no-sandbox --disable-gpu --no-first-run --disable-background-networking --disable-component-update --disable-sync --dump-dom"
    )
    command = [str(CHROMIUM), *switches.split(), f"--user-data-dir={tmp_path / 'profile'}", path.as_uri()]
    dom = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120).stdout
    said = [unescape(text) for text in re.findall(r'<pre class="said">(.*?)</pre>', dom, re.DOTALL)]
    assert said[:5] == ["3 of 3, 2 answered", "1 of 3, 2 answered", "2 of 3, 1 answered", "1 of 1, 1 answered", "1 of 2, 1 answered"]
    lines = said[5].splitlines()
    assert lines[0] == "picture,x1,y1,x2,y2,l1,ssim,over_budget,answer,note"
    assert lines[1] == "a.jpg,1,2,31,42,21,0.5,true,fine,"
    assert lines[2].startswith("\"'=a</script>")  # what begins like a formula is not run by a spreadsheet
    assert lines[3] == 'c.jpg,1,2,31,42,3.25,0.5,false,,"tell, ""me"""'
