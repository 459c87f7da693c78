"""From a matplotlib figure to SVG that lives in a page: the same bytes each time, colours from the page, own ids."""

import io
import re
from html import escape
from typing import Any

import matplotlib
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

# Role of a colour -> what matplotlib draws with, found again in the SVG and replaced by the page's own variable.
INK, MUTED, LINE, PAPER = "#101010", "#606061", "#d8d8d9", "#fdfdfe"
BLUE, VERMILLION, GREEN, ORANGE, PURPLE = "#0072b2", "#d55e00", "#009e73", "#e69f00", "#cc79a7"  # Okabe and Ito
ROLES = {
    INK: "--ink",
    MUTED: "--muted",
    LINE: "--line",
    PAPER: "--paper",
    BLUE: "--blue",
    VERMILLION: "--vermillion",
    GREEN: "--green",
    ORANGE: "--orange",
    PURPLE: "--purple",
}
RC: dict[Any, Any] = {
    "svg.hashsalt": "gameday",
    "svg.fonttype": "none",
    "font.size": 12.0,
    "hatch.linewidth": 1.2,
    "axes.unicode_minus": True,
    "path.simplify": False,
}


def render(figure: Figure, prefix: str, title: str, description: str) -> str:
    """Return the figure as an `<svg>` element; ids begin with `prefix`."""
    file = io.BytesIO()
    with matplotlib.rc_context(RC):
        FigureCanvasSVG(figure)
        figure.savefig(file, format="svg", metadata=dict.fromkeys(("Date", "Creator", "Format", "Type")))
    text = file.getvalue().decode("utf-8")
    text = text[text.index("<svg") :]
    text = re.sub(r"\s*<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    text = _own_ids(text, prefix)
    text = _page_colours(text)
    text = re.sub(r"font: (?:[a-z]+ |\d+ )*([\d.]+px) [^;\"]*", r"font-size: \1", text)
    text = re.sub(r"(?<![\w#])(-?\d+\.\d{2})\d+", r"\1", text)
    text = re.sub(r"<!--.*?-->", "", text, flags=re.DOTALL)
    text = re.sub(r"\n\s*\n", "\n", text)
    width, height = figure.get_size_inches() * 72
    names = f'role="img" aria-labelledby="{prefix}-title {prefix}-desc"'
    opening = (
        f'<svg class="plot" viewBox="0 0 {width:g} {height:g}" {names}>\n'
        f'<title id="{prefix}-title">{escape(title)}</title>\n<desc id="{prefix}-desc">{escape(description)}</desc>'
    )
    return re.sub(r"<svg[^>]*>", lambda _: opening, text, count=1).strip()


def _own_ids(text: str, prefix: str) -> str:
    """Keep only ids that something refers to, and put the figure's prefix before them."""
    used = set(re.findall(r'href="#([^"]+)"', text)) | set(re.findall(r"url\(#([^)]+)\)", text))

    def own(match: re.Match[str]) -> str:
        return f' id="{prefix}-{match[1]}"' if match[1] in used else ""

    text = re.sub(r' id="([^"]+)"', own, text)
    text = re.sub(r'href="#([^"]+)"', rf'href="#{prefix}-\1"', text).replace("xlink:href", "href")
    return re.sub(r"url\(#([^)]+)\)", rf"url(#{prefix}-\1)", text)


def _page_colours(text: str) -> str:
    for colour, variable in ROLES.items():
        text = text.replace(colour, f"var({variable})")
    return text
