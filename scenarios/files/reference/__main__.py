"""Write docs/reference anew, from the code and the library."""

from pathlib import Path

from scenarios.files.reference.pages import published

ROOT = Path(__file__).parent.parent.parent.parent

for name, content in published().items():
    file = ROOT / "docs" / "reference" / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(content, encoding="utf-8")
