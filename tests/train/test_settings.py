"""Recipes, presets and --set: what the words of a command come to."""

from __future__ import annotations

import pytest
from support.places import ROOT

from spqc.foundation.errors import UsageError

pytest.importorskip("torch")

from spqc.nn import models
from spqc.train import presets, recipes, settings


def test_a_preset_is_a_base_and_additions() -> None:
    assert presets.find("quant").network == {}
    sum_ = presets.find("spquant+adaptive+silenced")
    assert sum_.network == {"spatial_mask": 0.35, "channel_gate": True, "learn_threshold": True, "silence": True}
    assert presets.find("ace").flow == "ace"
    for wrong in ("adaptive", "quant+full", "adaptive+quant", "quant+adaptive+adaptive", "quant+"):
        with pytest.raises(UsageError):
            presets.find(wrong)


@pytest.mark.parametrize(
    ("model", "data", "expected"),
    [
        ("vgg9", "dvs-cifar10", ("adam", 1e-3, 200, 24, 0.90, "none", 2, 10)),
        ("vgg9", "n-caltech101", ("adam", 1e-3, 200, 16, 0.90, "none", 2, 10)),
        ("resnet19", "cifar10", ("adam", 1e-2, 300, 128, 0.05, "crop-flip", 4, 2)),
        ("resnet34", "imagenet", ("sgd", 0.05, 100, 32, 0.05, "crop-flip", 8, 2)),
    ],
)
def test_the_published_recipes(model: str, data: str, expected: tuple[object, ...]) -> None:
    found = recipes.row(model, data).recipe
    shown = (found.optimiser, found.learning_rate, found.epochs, found.batch, found.regulariser, found.augment)
    assert (*shown, found.network["weight_bits"], found.network["steps"]) == expected
    assert found.source == "scripts"


def test_every_model_has_a_recipe_and_all_but_one_a_data_set() -> None:
    from spqc.train import data

    for name in models.available():
        if name == "sequential":
            continue
        assert recipes.default_data(name)
        assert recipes.row(name, recipes.default_data(name)).recipe.epochs > 0
    for row in recipes.TABLE:
        assert set(row.recipe.network) <= models.option_names("sequential")
    assert recipes.default_data("digits") in data.available()


def test_a_model_has_a_preset_of_its_own() -> None:
    assert settings.resolve("digits", "digits", None, {}).preset == "quant"
    assert recipes.row("cnn-3d", "indian-pines{patch=7}").preset == "ace"


def test_set_goes_over_the_preset_which_goes_over_the_recipe() -> None:
    found = settings.resolve("vgg9", "dvs-cifar10", "full", {"steps": 4, "learning_rate": 0.5, "width": 0.25})
    assert found.network["weight_bits"] == 32 and found.network["steps"] == 4 and found.network["width"] == 0.25
    assert found.recipe.learning_rate == 0.5 and found.recipe.batch == 24


def test_frames_chosen_with_the_data_go_over_the_steps_of_the_recipe() -> None:
    assert settings.resolve("vgg9", "synthetic-events", None, {}).network["steps"] == 10
    found = settings.resolve("vgg9", "synthetic-events{steps=3}", None, {}, steps_of_data=True)
    assert "steps" not in found.network and found.network["weight_bits"] == 2


def test_a_layer_is_overridden_by_its_name() -> None:
    chosen = settings.read_assignments(("features.0.weight_bits=8", "classifier.weight_bits=4", "weight-bits=2"))
    found = settings.resolve("digits", "digits", "quant", chosen)
    assert found.network["overrides"] == {"features.0": {"weight_bits": 8}, "classifier": {"weight_bits": 4}}
    assert found.network["weight_bits"] == 2


def test_values_are_read_as_json_or_text() -> None:
    texts = ("a=1", "b=0.5", "c=none", "d=true", "e=[-1, 0, 1]", "f=ternary", "g=2:4")
    assert list(settings.read_assignments(texts).values()) == [1, 0.5, None, True, [-1, 0, 1], "ternary", "2:4"]


@pytest.mark.parametrize(
    "chosen",
    [
        {"learning_rat": 1},
        {"weight_bit": 1},
        {"learning_rate": -1.0},
        {"optimiser": "lion"},
        {"batch": 0},
        {"epochs": "many"},
        {"validation": 0.9},
        {"clip_norm": 0.0},
        {"augment": "mixup"},
    ],
)
def test_wrong_choices_are_refused(chosen: dict[str, object]) -> None:
    with pytest.raises(UsageError):
        settings.resolve("digits", "digits", "quant", chosen)
    with pytest.raises(UsageError):
        settings.read_assignments(("learning_rate",))


def test_no_option_is_both_of_a_recipe_and_of_a_network() -> None:
    for name in models.available():
        assert not settings.RECIPE_NAMES & models.option_names(name)


def recipe_table() -> str:
    """Return the table of recipes as docs/training.md shows it."""
    head = ["model", "data", "from", "optimiser", "rate", "epochs", "batch", "lam", "augmentation", "network"]
    rows = [head, ["---"] * len(head)]
    for row in recipes.TABLE:
        r = row.recipe
        optimiser = r.optimiser if r.optimiser == "adam" else f"sgd {r.momentum:g}, decay {r.weight_decay:g}"
        network = ", ".join(f"{key} {value}" for key, value in r.network.items())
        cells = [
            r.source,
            optimiser,
            f"{r.learning_rate:g}",
            r.epochs,
            r.batch,
            f"{r.regulariser:g}",
            r.augment,
            network,
        ]
        rows.append([f"`{row.model}`", f"`{row.data}`", *map(str, cells)])
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)


def test_the_page_shows_the_recipes_and_the_presets_as_they_are() -> None:
    page = (ROOT / "docs" / "training.md").read_text()
    assert recipe_table() in page
    for name, preset in presets.PRESETS.items():
        assert f"| `{name}` | {'base' if preset.base else 'addition'} |" in page
    for name in settings.RECIPE_NAMES - {"cnn_epochs", "cnn_rate", "percentile", "factor"}:
        assert f"`{name}`" in page, name
