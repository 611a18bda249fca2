"""Fixtures that test files share. Gradio reads its switches when imported, so they are set here first."""

import gc
import os
import shutil

os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"

import pytest

CHROMIUM, DRIVER = "/usr/bin/chromium", "/usr/bin/chromedriver"
SWITCHES = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--disable-dev-shm-usage", "--window-size=1400,1000",
)  # fmt: skip


@pytest.fixture(scope="session")
def browser(tmp_path_factory):
    """A headless Chromium (selenium webdriver), one for the whole session.

    ``get_log("browser")`` gives the console, ``get_log("performance")`` the requests made;
    both are emptied by reading.
    """
    if not (shutil.which(CHROMIUM) and shutil.which(DRIVER)):
        if os.environ.get("SEGDEMO_REQUIRE_BROWSER"):
            pytest.fail("SEGDEMO_REQUIRE_BROWSER is set, but there is no Chromium with chromedriver here")
        pytest.skip("there is no Chromium with chromedriver here")
    webdriver = pytest.importorskip("selenium.webdriver")
    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    for switch in (*SWITCHES, f"--user-data-dir={tmp_path_factory.mktemp('chromium')}"):
        options.add_argument(switch)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(DRIVER))
    driver.set_script_timeout(20)
    yield driver
    driver.quit()


@pytest.fixture(scope="session", autouse=True)
def engines_at_rest():
    """Lets a run that some browser test left behind end: Python aborts when it ends while a thread computes."""
    yield
    from segdemo.engine import Engine

    for engine in [thing for thing in gc.get_objects() if type(thing) is Engine]:
        if engine._turn.lock.acquire(timeout=60):
            engine._turn.lock.release()


@pytest.fixture
def registered():
    """Register a method for one test: ``registered(function)`` returns its name."""
    from segdemo.method import Params, _registry, method

    def register(function):
        method("trial", family="clustering", title="Trial", params=Params)(function)
        return "trial"

    yield register
    _registry.pop("trial", None)
