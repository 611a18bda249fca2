"""Live cuts in the browser, from the end of a stroke to the new overlay: ``python -m benchmarks.live``.

Starts the app, drives a headless Chromium (selenium), scribbles on a 512 x 512 photo with 'live' on, and prints
seconds from the pointer leaving the pad to the frame in which the viewer has drawn the new mask, and the engine's
share of them. Server and browser share the machine's cores, so others at work on it show at once: measure on a
quiet machine. ``--port`` measures an app that runs already.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

import cv2
from selenium import webdriver
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from skimage import data as photos

from .graphcut import BACKGROUND_STROKES, OBJECT_STROKES
from .startup import WARM_UP, free_port

SIZE = 512
PAUSE = 1.0
"""Seconds after a stroke, in which it should be answered."""
MORE_STROKES = (  # label, from, to as parts of width and height
    (2, (0.1, 0.9), (0.25, 0.95)), (1, (0.6, 0.7), (0.7, 0.75)), (2, (0.5, 0.02), (0.6, 0.03)), (1, (0.35, 0.4), (0.4, 0.42)),
    (2, (0.85, 0.5), (0.9, 0.55)), (1, (0.5, 0.85), (0.55, 0.9)), (2, (0.3, 0.05), (0.33, 0.12)), (1, (0.45, 0.6), (0.5, 0.65)),
    (2, (0.93, 0.1), (0.95, 0.3)), (1, (0.3, 0.8), (0.35, 0.85)), (2, (0.02, 0.4), (0.03, 0.6)), (1, (0.42, 0.2), (0.45, 0.25)),
)  # fmt: skip
WATCH = """
window.liveTimes = [];
const viewer = document.querySelector('#viewer-graphcut .sv');
document.querySelector('#pad canvas').addEventListener('pointerup', () => { window.released = performance.now(); }, true);
new MutationObserver(() => requestAnimationFrame(() => requestAnimationFrame(() => {
  const engine = Object.fromEntries(viewer.maskViewer.result.timings);
  window.liveTimes.push([(performance.now() - window.released) / 1000, engine]);
}))).observe(viewer, { attributes: true, attributeFilter: ['data-turn'] });
"""


def wait(ready, seconds: float = 60):
    deadline = time.perf_counter() + seconds
    while time.perf_counter() < deadline:
        try:
            if value := ready():
                return value
        except Exception:  # the page is being redrawn, or the server still starts
            pass
        time.sleep(0.02)
    raise SystemExit(f"the page did not answer within {seconds} s")


def open_browser(address: str, photo: Path) -> webdriver.Chrome:
    """The graph-cut tab with a photo on the pad and 'live' on."""
    options = webdriver.ChromeOptions()
    options.binary_location = "/usr/bin/chromium"
    for switch in ("--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--window-size=1400,1000"):
        options.add_argument(switch)
    browser = webdriver.Chrome(options=options, service=webdriver.ChromeService("/usr/bin/chromedriver"))
    browser.get(address)
    wait(lambda: browser.find_elements(By.CSS_SELECTOR, "#examples button.thumbnail-item img"))
    browser.find_element(By.CSS_SELECTOR, "#photo input[type=file]").send_keys(str(photo))
    click = "[...document.querySelectorAll('[role=tab]')].find(t => t.innerText.trim() === 'Graph cut').click()"
    browser.execute_script(click)
    wait(lambda: browser.find_element(By.CSS_SELECTOR, "#pad .pad").get_attribute("data-state") == "ready")
    browser.execute_script("document.querySelector('#live input').click()")
    return browser


def draw(browser: webdriver.Chrome, label: int, *points: tuple[float, float]) -> None:
    browser.execute_script(f"document.querySelector('#pad [data-label=\"{label}\"]').click()")
    canvas = browser.find_element(By.CSS_SELECTOR, "#pad canvas")
    browser.execute_script("arguments[0].scrollIntoView({ block: 'center' })", canvas)
    width, height = canvas.size["width"], canvas.size["height"]
    places = [(int((x - 0.5) * width), int((y - 0.5) * height)) for x, y in points]
    chain = ActionChains(browser, duration=10).move_to_element_with_offset(canvas, *places[0]).click_and_hold()
    for place in places[1:]:
        chain.move_to_element_with_offset(canvas, *place)
    chain.release().perform()


def measure(address: str, name: str) -> list[tuple[float, dict[str, float]]]:
    """Per stroke the seconds until the overlay and the engine's timings."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "photo.png"
        cv2.imwrite(str(path), cv2.resize(getattr(photos, name)(), (SIZE, SIZE))[..., ::-1])
        browser = open_browser(address, path)
        try:
            for label, strokes in enumerate((OBJECT_STROKES[name], BACKGROUND_STROKES[name]), 1):
                for stroke in strokes:
                    draw(browser, label, *stroke)
            wait(lambda: browser.find_element(By.CSS_SELECTOR, "#viewer-graphcut .sv[data-state=result]"))
            time.sleep(2)
            browser.execute_script(WATCH)
            for count, (label, *points) in enumerate(MORE_STROKES, 1):
                draw(browser, label, *points)
                time.sleep(PAUSE)  # asking the browser again and again would take from its cores
                wait(lambda count=count: browser.execute_script("return window.liveTimes.length") >= count)
            return browser.execute_script("return window.liveTimes")
        finally:
            browser.quit()


def report(name: str, times: list) -> None:
    seconds, engine = [t[0] for t in times], [sum(t[1].values()) for t in times]
    row = [statistics.median(seconds), max(seconds), statistics.median(engine)]
    print(f"| {name} | {len(times)} | " + " | ".join(f"{value:.3f}" for value in row) + " |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--photos", nargs="+", default=list(OBJECT_STROKES))
    options = parser.parse_args()
    port = options.port or free_port()
    address = f"http://127.0.0.1:{port}/"
    command = [sys.executable, "app.py", "--port", str(port)]
    server = None if options.port else subprocess.Popen(command, stdout=subprocess.DEVNULL)
    try:
        wait(lambda: urllib.request.urlopen(address, timeout=1))
        time.sleep(0 if options.port else WARM_UP)
        print("| photo | strokes | median s | max s | engine, median s |\n|---|---|---|---|---|")
        for name in options.photos:
            report(name, measure(address, name))
    finally:
        if server:
            server.terminate()


if __name__ == "__main__":
    main()
