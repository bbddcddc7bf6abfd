"""Prices, times and texts as other systems write them."""

import pytest

from features.datasets.feeds.values import category_of, moment_of, plain_text, price_of


@pytest.mark.parametrize(
    ("text", "amount", "currency"),
    [
        ("15.00 USD", 15.0, "USD"),
        ("USD 15", 15.0, "USD"),
        ("1.299,00 EUR", 1299.0, "EUR"),
        ("1,299.00", 1299.0, ""),
        ("1.299 EUR", 1299.0, "EUR"),
        ("1,299,000", 1299000.0, ""),
        ("1.299.000,5", 1299000.5, ""),
        ("€ 9,90", 9.9, "EUR"),
        ("£9.9", 9.9, "GBP"),
        ("1 299,00 kr", 1299.0, ""),
        ("1\xa0299,00 zł", 1299.0, "PLN"),
        ("CHF 1’299.50", 1299.5, "CHF"),
        ("1.250 KWD", 1.25, "KWD"),
        ("0.125", 0.125, ""),
        ("5.-", 5.0, ""),
        ("0", 0.0, ""),
    ],
)
def test_a_price_is_read_as_a_shopper_reads_it(text: str, amount: float, currency: str) -> None:
    assert price_of(text) == (amount, currency)


def test_a_known_decimal_sign_settles_what_is_ambiguous() -> None:
    assert price_of("1.299", ".")[0] == 1.299
    assert price_of("1.299", ",")[0] == 1299.0
    assert price_of("1,299", ",")[0] == 1.299


@pytest.mark.parametrize("text", ["", "free", "-5.00", "€ -5", "10 - 20 EUR", "5 10,00,x 7"])
def test_what_is_no_single_price_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="where a price belongs"):
        price_of(text)


@pytest.mark.parametrize(
    "value",
    [
        "2026-01-05T10:00:00Z",
        "2026-01-05T11:00+0100",
        "2026-01-05 10:00:00 UTC",
        "2026-01-05 10:00:00",
        1767607200,
        "1767607200000",
        1767607200000000,
    ],
)
def test_a_moment_is_the_same_however_it_is_written(value: object) -> None:
    assert moment_of(value) == 1767607200.0


def test_markup_leaves_words_apart_and_scripts_out() -> None:
    html = "<style>p{}</style><p>Soft</p><p>warm &amp; <b>dr</b>y<br>3 < 5 &lt;sic&gt;</p>"
    assert plain_text(html) == "Soft warm & dry 3 < 5 <sic>"
    assert plain_text("T&C apply, 5<7") == "T&C apply, 5<7"


def test_a_category_is_written_as_the_catalogue_writes_it() -> None:
    assert category_of("A>B &amp; C > ") == "A > B & C"
    assert category_of("A/B", "/") == "A > B"
