"""verdicts.json: the same verdicts come back, in the same bytes; what is damaged is named."""

import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from scenarios.errors import RecordError
from tests.records import Run
from validators.files import from_json, read, text, to_json, write
from validators.judge import judge


def test_round_trip(tmp_path: Path) -> None:
    judged = judge(Run().recovers("risk", 600).observations())
    path = write(tmp_path, judged)
    again = read(tmp_path)
    assert text(again) == text(judged) == path.read_text()
    assert [v.objective for v in again.verdicts] == [v.objective for v in judged.verdicts]
    assert again.result is judged.result
    assert from_json(to_json(again)) == again


def test_numbers_of_numpy_are_plain_numbers() -> None:
    judged = judge(Run().observations("rto.risk"))
    odd = replace(judged.verdicts[0], value=np.float64(1.5), detail={"counts": [np.int64(3)], "yes": np.bool_(True)})
    document = json.loads(text(replace(judged, verdicts=(odd,))))
    assert document["verdicts"][0]["value"] == 1.5
    assert document["verdicts"][0]["detail"] == {"counts": [3], "yes": True}


@pytest.mark.parametrize("value", [math.inf, math.nan])
def test_a_number_without_a_word_in_json_is_our_bug(value: float) -> None:
    judged = judge(Run().observations("rto.risk"))
    with pytest.raises(ValueError, match="expected a number"):
        text(replace(judged, verdicts=(replace(judged.verdicts[0], value=value),)))


@pytest.mark.parametrize("content", [None, "{", "[]", '{"verdicts": []}', '{"verdicts": [{"objective": 1}]}'])
def test_damaged(tmp_path: Path, content: str | None) -> None:
    if content is not None:
        (tmp_path / "verdicts.json").write_text(content)
    with pytest.raises(RecordError, match=r"verdicts\.json.*Judge the run again"):
        read(tmp_path)
