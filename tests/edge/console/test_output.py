import json

import pytest

from edge.console.output import aligned, print_document


def test_aligned_makes_columns_as_wide_as_their_longest_cell_and_ends_no_line_in_blanks() -> None:
    assert aligned([("unit", "score"), ("a-long-name", "1"), ("b", "")]) == ["unit         score", "a-long-name  1", "b"]


def test_aligned_without_rows_is_empty() -> None:
    assert aligned([]) == []


def test_print_document_prints_json_or_text(capsys: pytest.CaptureFixture[str]) -> None:
    print_document({"score": 1.5}, "json", lambda: pytest.fail("text is not made for JSON"))
    assert json.loads(capsys.readouterr().out) == {"score": 1.5}
    print_document({"score": 1.5}, "text", lambda: ["score 1.5", "end"])
    assert capsys.readouterr().out == "score 1.5\nend\n"
