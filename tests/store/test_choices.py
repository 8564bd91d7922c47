from batchlock.store.store import Store


def test_what_was_saved_last_fits_the_same_titles_in_any_order(store: Store) -> None:
    store.choices.save_columns(["Modul", "Grund"], {"module": "Grund"})
    store.choices.save_columns(["Grund", "", "Modul"], {"module": "Modul"})
    assert store.choices.columns(["Modul", " ", "Grund"]) == {"module": "Modul"}
    assert store.choices.columns(["Modul"]) == {}


def test_columns_and_encoding_are_saved_apart(store: Store) -> None:
    titles = ["Modul", "\ud800"]  # from a damaged file
    assert store.choices.encoding(titles) is None
    store.choices.save_encoding(titles, "cp1250")
    assert store.choices.columns(titles) == {}
    store.choices.save_columns(titles, {"module": "Modul"})
    assert store.choices.encoding(titles) == "cp1250"


def test_a_choice_of_a_person_goes_before_the_one_for_all(store: Store) -> None:
    titles = ["A", "B"]
    store.choices.save_columns(titles, {"module": "A"}, "Anna")
    store.choices.save_encoding(titles, "cp1250", "Anna")
    assert store.choices.columns(titles, "Ben") == {}
    (own,) = store.choices.of("Anna")
    assert store.choices.agree(own.key, "Anna")
    assert not store.choices.agree(own.key, "Ben")
    assert store.choices.columns(titles, "Ben") == {"module": "A"}
    assert store.choices.encoding(titles, "Ben") == "cp1250"
    store.choices.save_columns(titles, {"module": "B"}, "Ben")
    assert store.choices.columns(titles, "Ben") == {"module": "B"}
    assert store.choices.columns(titles, "Anna") == {"module": "A"}
    assert store.choices.remove(own.key, "Ben")
    assert not store.choices.remove(own.key, "Ben")
    assert store.choices.columns(titles, "Ben") == {"module": "A"}
