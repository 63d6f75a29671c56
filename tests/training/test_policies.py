import pandas as pd

from training.policies import expected_contacts, top_choice

LISTS = pd.DataFrame(
    {
        "brief_id": ["b1"] * 4 + ["b2"] * 3,
        "kol_id": ["k1", "k2", "k3", "k4", "k1", "k2", "k3"],
        "propensity": [0.5, 0.5, 0.7, 0.4, 0.1, 0.1, 0.1],
        "contacted": [True, True, True, True, False, False, False],
    }
)
SCORE = pd.Series([0.1, 0.9, 0.5, None, 1.0, 1.0, 0.0])


def test_as_many_are_chosen_as_the_agency_contacts_on_average() -> None:
    assert expected_contacts(LISTS).to_dict() == {"b1": 2.0, "b2": 1.0}


def test_the_dice_of_the_log_do_not_change_a_policy() -> None:
    other = LISTS.assign(contacted=~LISTS["contacted"])
    assert top_choice(other, SCORE).equals(top_choice(LISTS, SCORE))


def test_the_best_are_chosen_and_ties_go_by_id() -> None:
    assert top_choice(LISTS, SCORE).tolist() == [0, 1, 1, 0, 1, 0, 0]


def test_row_order_does_not_matter() -> None:
    turned = LISTS.iloc[::-1]
    assert top_choice(turned, SCORE.reindex(turned.index)).sort_index().tolist() == [
        *(0, 1, 1, 0),
        *(1, 0, 0),
    ]


def test_the_number_can_be_given() -> None:
    chosen = top_choice(LISTS, SCORE, pd.Series({"b1": 4, "b2": 2}))
    assert chosen.tolist() == [1, 1, 1, 1, 1, 1, 0]


def test_without_chances_the_mean_number_of_contacts_counts() -> None:
    unknown = LISTS.assign(propensity=float("nan"))
    assert expected_contacts(unknown).to_dict() == {"b1": 2.0, "b2": 2.0}
