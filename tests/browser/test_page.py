"""The report in a browser: opens from the disk, asks for nothing, says nothing to the console, overflows nowhere."""

import base64
import json
import re
from pathlib import Path

import pytest

from reports.formats import html
from tests.golden import sample

pytestmark = [pytest.mark.needs("chromium"), pytest.mark.needs("chromedriver")]
ARGUMENTS = [
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
]
LONG = "x" * 300


@pytest.fixture(scope="module")
def driver(tmp_path_factory):
    import shutil

    from selenium import webdriver

    options = webdriver.ChromeOptions()
    options.binary_location = str(shutil.which("chromium"))
    for argument in (*ARGUMENTS, f"--user-data-dir={tmp_path_factory.mktemp('profile')}"):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    service = webdriver.ChromeService(str(shutil.which("chromedriver")))
    made = webdriver.Chrome(options=options, service=service)
    yield made
    made.quit()


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pages")
    reports = {
        "one": sample.report(),
        "many": sample.report(many=True),
        "long": sample.report(
            run_id=LONG, command=f"gameday simulate {LONG}", scenario={"scenario": LONG, "title": LONG}
        ),
        "hostile": sample.report(
            scenario={"scenario": "s", "title": "<script>document.title = 'taken'; alert(1)</script>"}
        ),
    }
    return {name: _write(folder / f"{name}.html", html.render(report)) for name, report in reports.items()}


def _write(path: Path, text: str) -> str:
    path.write_text(text, encoding="utf-8")
    return path.as_uri()


def view(driver, url, width=1440, *, scheme="light", media=""):
    driver.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride", {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
    )
    features = [{"name": "prefers-color-scheme", "value": scheme}]
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": media, "features": features})
    driver.get(url)


@pytest.mark.parametrize("name", ["one", "many", "hostile"])
def test_it_opens_from_the_disk_without_a_word_or_a_request(driver, pages, name):
    driver.get_log("browser"), driver.get_log("performance")
    view(driver, pages[name])
    assert driver.get_log("browser") == []
    messages = [json.loads(entry["message"])["message"] for entry in driver.get_log("performance")]
    asked = [m["params"]["request"]["url"] for m in messages if m["method"] == "Network.requestWillBeSent"]
    assert [u for u in asked if not u.startswith(("file:", "data:"))] == []
    assert [u for u in asked if u.startswith("file:")] == [pages[name]]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [320, 360, 720, 721, 1000, 1440])
@pytest.mark.parametrize("name", ["one", "many", "long"])
def test_nothing_overflows(driver, pages, name, width, scheme):
    view(driver, pages[name], width, scheme=scheme)
    assert driver.execute_script("return document.documentElement.scrollWidth") <= width
    outside = driver.execute_script(
        """return [...document.querySelectorAll('body *')].filter(e => {
            if (e.closest('.skip') || e.closest('svg') && e.tagName !== 'svg') return false;
            const r = e.getBoundingClientRect();
            return r.width > 0 && (r.right > innerWidth + 0.5 || r.left < -0.5);
        }).map(e => e.outerHTML.slice(0, 120))"""
    )
    assert outside == []


@pytest.mark.parametrize(("width", "shown"), [(360, "narrow"), (1440, "wide")])
def test_labels_of_plots_neither_overlap_nor_leave_the_plot(driver, pages, width, shown):
    view(driver, pages["many"], width)
    found = driver.execute_script(
        """const bad = [];
        for (const svg of document.querySelectorAll('.' + arguments[0] + ' svg')) {
            const box = svg.getBoundingClientRect();
            const texts = [...svg.querySelectorAll('text')].filter(t => t.textContent.trim());
            const rects = texts.map(t => t.getBoundingClientRect());
            rects.forEach((r, i) => {
                const beside = r.left < box.left - 1 || r.right > box.right + 1;
                if (beside || r.top < box.top - 1 || r.bottom > box.bottom + 1)
                    bad.push('outside: ' + texts[i].textContent);
                rects.slice(i + 1).forEach((s, k) => {
                    const wide = Math.min(r.right, s.right) - Math.max(r.left, s.left);
                    const high = Math.min(r.bottom, s.bottom) - Math.max(r.top, s.top);
                    if (wide > 1 && high > 3) bad.push(texts[i].textContent + ' / ' + texts[i + 1 + k].textContent);
                });
            });
        }
        return bad;""",
        shown,
    )
    assert found == []


def test_a_title_with_a_script_stays_text(driver, pages):
    view(driver, pages["hostile"])
    assert driver.title.startswith("FAIL: <script>")
    assert driver.find_element("tag name", "h1").text.startswith("<script>document.title")


def test_it_can_be_read_without_a_script(driver, pages):
    driver.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
    try:
        view(driver, pages["many"])
        text = driver.find_element("tag name", "main").text
    finally:
        driver.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": False})
    assert "14 of 15 judged, SIMULATION, 200 trials" in text
    assert "Risk management recovers" in text


def test_dark_is_dark_and_light_is_light(driver, pages):
    colours = {}
    for scheme in ("light", "dark"):
        view(driver, pages["one"], scheme=scheme)
        script = "const s = getComputedStyle(document.body); return [s.backgroundColor, s.color]"
        colours[scheme] = [_brightness(c) for c in driver.execute_script(script)]
    assert colours["light"][0] > 0.9 > 0.2 > colours["light"][1]
    assert colours["dark"][0] < 0.1 < 0.8 < colours["dark"][1]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_words_stand_out_from_what_is_behind_them(driver, pages, scheme):
    """WCAG 2.2 AA: 4.5 to 1 for text, in tables, sentences and plots."""
    view(driver, pages["many"], scheme=scheme)
    pairs = driver.execute_script(
        """const behind = e => { for (; e; e = e.parentElement) {
            const c = getComputedStyle(e).backgroundColor;
            if (!/, 0\\)$/.test(c)) return c; } return 'rgb(255, 255, 255)'; };
        const kinds = 'h1,h2,h3,p,a,th,td,dt,dd,li,span,time,summary,code,b,svg text';
        const seen = e => e.getBoundingClientRect().width && e.textContent.trim() && !e.closest('.bar');
        const words = [...document.querySelectorAll(kinds)].filter(seen);
        return words.map(e => { const drawn = e instanceof SVGElement, style = getComputedStyle(e);
            const ground = behind(drawn ? e.closest('figure') : e);
            return [drawn ? style.fill : style.color, ground, e.textContent.trim().slice(0, 40)]; });"""
    )
    on_a_bar = re.compile(r"(detect|decide|act|converge) \d")  # has a fixed fill of its own behind it
    weak = {(a, b, t) for a, b, t in pairs if not on_a_bar.match(t) and _contrast(a, b) < 4.5}
    assert weak == set()
    assert len(pairs) > 300


def test_the_keyboard_reaches_the_verdict_first(driver, pages):
    from selenium.webdriver.common.keys import Keys

    view(driver, pages["one"])
    driver.find_element("tag name", "body").send_keys(Keys.TAB)
    skip = driver.switch_to.active_element
    assert skip.get_attribute("class") == "skip"
    assert skip.get_attribute("href").endswith("#verdict")
    assert driver.execute_script("return getComputedStyle(arguments[0]).outlineStyle", skip) != "none"


def test_paper_shows_every_detail_in_dark_ink(driver, pages):
    view(driver, pages["many"], scheme="dark")
    assert driver.execute_script("return document.querySelector('details:not([open]) dl').checkVisibility()") is False
    view(driver, pages["many"], scheme="dark", media="print")
    assert _brightness(driver.execute_script("return getComputedStyle(document.body).color")) < 0.05
    assert driver.execute_script("return getComputedStyle(document.querySelector('nav')).display") == "none"
    hidden = "return [...document.querySelectorAll('details:not([open]) dl')].filter(e => !e.checkVisibility()).length"
    assert driver.execute_script(hidden) == 0
    cell = "return getComputedStyle(document.querySelector('table.cards td')).display"
    view(driver, pages["many"], width=680, media="print")  # about the width of a sheet of paper
    assert driver.execute_script(cell) == "table-cell"
    assert not driver.execute_script("return document.querySelector('.wide').checkVisibility() === false")
    pdf = base64.b64decode(driver.execute_cdp_cmd("Page.printToPDF", {"preferCSSPageSize": True})["data"])
    assert pdf.startswith(b"%PDF")
    assert len(pdf) > 50_000


def _numbers(colour: str) -> list[float]:
    return [float(part) for part in re.findall(r"[\d.]+", colour)][:3]


def _brightness(colour: str) -> float:
    linear = [c / 12.92 if (c := n / 255) <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for n in _numbers(colour)]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def _contrast(a: str, b: str) -> float:
    light, dark = sorted((_brightness(a), _brightness(b)), reverse=True)
    return (light + 0.05) / (dark + 0.05)
