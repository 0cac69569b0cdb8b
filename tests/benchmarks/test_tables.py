from __future__ import annotations

import pytest

from benchmarks.tables.published import DCASE2020, ENVMIX, FAITHFULNESS, MIMII
from benchmarks.tables.table import Figure, Table, rows_of


def test_published_figures_are_those_of_the_papers() -> None:
    assert ENVMIX["PatchCore"]["sample ROC"] == 90.6
    assert ENVMIX["STFPM"]["temporal F1"] == 35.4
    assert MIMII["STFPM"]["pump ROC"] == 85.9
    assert MIMII["DCASE2020 baseline"] == {"fan ROC": 65.8, "pump ROC": 72.9, "slider ROC": 84.8, "valve ROC": 66.3}
    assert DCASE2020["AudDSR"]["fan pAUC"] == 64.98
    assert FAITHFULNESS["PatchCore"]["FF v2"] == (0.062, 0.151)


@pytest.mark.parametrize("system", ["AE", "IDNN", "ANP", "PAE", "AudDSR", "MobileNetV2", "GlowAff", "STgram", "AudDSR_annot", "GeCo"])
def test_published_averages_are_means_over_the_kinds(system: str) -> None:
    """A slip of the pen in one of twelve figures would show; two rows of the paper do not add up to better than 1.2."""
    for figure in ("AUC", "pAUC"):
        kinds = [value for column, value in DCASE2020[system].items() if column.endswith(f" {figure}") and "average" not in column]
        assert len(kinds) == 6
        assert sum(kinds) / 6 == pytest.approx(DCASE2020[system][f"average {figure}"], abs=1.2)


def test_rows_are_the_papers_then_those_that_are_ours_alone() -> None:
    rows = rows_of({"A": {"ROC": 80.0}, "B": {"ROC": 70.0}}, {"ours": {"ROC": Figure(90.0)}, "B": {"ROC": Figure(75.0)}})
    assert [row.name for row in rows] == ["A", "B", "ours"]


def test_table_in_markdown_has_ours_its_interval_and_the_published_figure() -> None:
    ours = {"B": {"ROC": Figure(75.04, 70.0, 80.0), "F1": Figure(50.0)}}
    table = Table("Title", ["ROC", "F1"], rows_of({"A": {"ROC": 80.0}, "B": {"ROC": 70.0}}, ours), ["a note"])
    assert table.markdown().splitlines() == [
        "**Title**",
        "",
        "| system | ROC | F1 |",
        "| --- | --- | --- |",
        "| A | - / 80.0 | - / - |",
        "| B | 75.0 (70.0 - 80.0) / 70.0 | 50.0 / - |",
        "",
        "* a note",
    ]
    assert table.document()["rows"] == {
        "A": {
            "ROC": {"value": None, "low": None, "high": None, "published": 80.0},
            "F1": dict.fromkeys(("value", "low", "high", "published")),
        },
        "B": {
            "ROC": {"value": 75.04, "low": 70.0, "high": 80.0, "published": 70.0},
            "F1": {"value": 50.0, "low": None, "high": None, "published": None},
        },
    }
