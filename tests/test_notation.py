"""Numbers as the page writes them."""

import pytest

from segdemo.notation import number_text, told_apart


@pytest.mark.parametrize(
    "value, text",
    [
        (812, "812"), (1234567, "1,234,567"), (0.0, "0"), (1.5, "1.5"), (7.6619, "7.662"), (-45.0, "−45"),
        (123456.7, "123,457"), (0.001234567, "0.001235"), (7940612.5, "7.941 · 10⁶"), (-1.38e-15, "−1.38 · 10⁻¹⁵"),
        (999999.9, "1 · 10⁶"), (1e7, "1 · 10⁷"), (float("inf"), "inf"),
    ],
)  # fmt: skip
def test_a_number_is_written_as_people_write_it(value, text):
    assert number_text(value).replace("\u00a0", " ") == text


def test_as_many_digits_as_asked_but_the_whole_number_below_a_million():
    assert number_text(7940612.6, 7).startswith("7.940613") and number_text(794061.26, 2) == "794,061"
    assert number_text(0.0234, 2) == "0.023" and number_text(57.0) == "57"


def test_neighbours_are_told_apart_and_only_they_get_more_digits():
    assert told_apart([9.0, 7.0, 5.00001, 5.00002]) == ["9", "7", "5.00001", "5.00002"]
    grabcut = told_apart([181234.4, 170001.9, 170001.7, None, 170001.7])
    assert grabcut == ["181,234", "170,001.9", "170,001.7", "", "170,001.7"]
    assert told_apart([1.0, 1.0 + 1e-12]) == ["1", "1"]  # rounding is no descent
