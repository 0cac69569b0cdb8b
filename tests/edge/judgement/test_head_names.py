from __future__ import annotations

from edge.judgement.head_names import comparable_names, head_names

BANDS = 8
FEATURES = {"cnn14": BANDS, "logmel": BANDS, "level": 1}
NAMES = ("cnn14_moment", "cnn14_sustained", "logmel_moment", "logmel_sustained", "level")
WITH_EXCESS = {"cnn14": BANDS, "logmel": BANDS, "excess": BANDS, "level": 1}


def test_head_names_a_feature_without_bands_has_one_that_is_called_like_it() -> None:
    assert head_names(FEATURES) == NAMES
    assert head_names({"logmel": 1, "level": 1}) == ("logmel", "level")


def test_head_names_an_excess_is_heard_in_moments_only_and_in_place_of_log_mel_patches() -> None:
    assert head_names(WITH_EXCESS) == ("cnn14_moment", "cnn14_sustained", "logmel_sustained", "excess_moment", "level")
    assert set(comparable_names(WITH_EXCESS)) == {
        *(f"{feature}_{head}" for feature in ("cnn14", "logmel", "excess") for head in ("moment", "sustained", "largest")),
        "level",
    }
