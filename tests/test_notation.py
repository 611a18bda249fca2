"""Numbers as the page writes them."""

import pytest

from segdemo.notation import DIGITS, adding_up, digits_of, number_text, told_apart


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


@pytest.mark.parametrize(
    "whole, parts, digits, texts",
    [
        (27610.367, [15822.471, 11787.896], 4, ["27,610", "15,822", "11,788"]),
        (27610.6, [15822.4, 11788.2], 4, ["27,611", "15,823", "11,788"]),  # alone they would be 15,822 and 11,788
        (27610.367, [15822.571, 11787.796], 6, ["27,610.4", "15,822.6", "11,787.8"]),
        (2609476.8, [2111111.7, 498365.1], 4, ["2.609 · 10⁶", "2.111 · 10⁶", "0.498 · 10⁶"]),
        (12.5, [12.5, 0.0], 4, ["12.5", "12.5", "0"]), (0.0, [0.0, 0.0], 4, ["0", "0", "0"]),
        (1.0, [1.5, -0.5], 4, ["1", "1.5", "−0.5"]), (3.2e-4, [2e-4, 1.2e-4], 4, ["3.2 · 10⁻⁴", "2 · 10⁻⁴", "1.2 · 10⁻⁴"]),
    ],
)  # fmt: skip
def test_parts_add_up_to_the_whole_as_they_are_written(whole, parts, digits, texts):
    assert [text.replace("\u00a0", " ") for text in adding_up(whole, parts, digits)] == texts


@pytest.mark.parametrize("whole", [449.775, 6530.805, 9999999.0, 999999.7, 0.00099996, 27610.5, 12.0, 0.5])
@pytest.mark.parametrize("digits", [4, 5, 6])
def test_the_whole_is_written_as_it_is_alone(whole, digits):
    assert adding_up(whole, [whole / 3, whole - whole / 3], digits)[0] == number_text(whole, digits)


def test_the_digits_of_a_text():
    assert digits_of("170,001.6", 170001.625) == 7 and digits_of("170,002", 170001.625) == DIGITS
    assert digits_of("what else", 170001.625) == DIGITS
