"""The datasets: an entry each. It is all that a dataset of torchvision needs to be used here."""

import string
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Dataset:
    """Facts about a dataset.

    Attributes:
        name: its name on the command line and in ``params.yaml``.
        title: its name in prose.
        made_by: the class that knows its files, called as those of torchvision are, with a root
            and ``train``, and has images and labels in ``data`` and ``targets``.
        classes: the name of each class, by label.
        train_per_class: number of training images of each class, by label.
        licence: its authors and licence.
        arguments: further arguments of its class.
        shape: height and width of an image, in pixels.
        white: the value of a fully inked pixel; 0 is the background.
        scale: mean and standard deviation of the training images' pixels in [0, 1].
    """

    name: str
    title: str
    made_by: str
    classes: tuple[str, ...]
    train_per_class: tuple[int, ...]
    licence: str
    arguments: Mapping[str, Any] = field(default_factory=dict)
    shape: tuple[int, int] = (28, 28)
    white: int = 255
    scale: tuple[float, float] = (0.5, 0.5)

    @property
    def pixels(self) -> int:
        """Number of pixels of an image: the network's input width."""
        return self.shape[0] * self.shape[1]

    @property
    def labels(self) -> tuple[int, ...]:
        """The labels that have images."""
        return tuple(label for label, count in enumerate(self.train_per_class) if count)

    def facts(self) -> dict[str, Any]:
        """Return what a run's bytes depend on, besides the data themselves."""
        return {"shape": self.shape, "white": self.white}


DIGIT_NAMES = tuple(string.digits)

DATASETS = {
    dataset.name: dataset
    for dataset in (
        Dataset(
            name="mnist",
            title="MNIST",
            made_by="torchvision.datasets:MNIST",
            classes=DIGIT_NAMES,
            train_per_class=(5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949),
            scale=(0.1307, 0.3081),
            licence="Y. LeCun, C. Cortes, C. Burges; CC BY-SA 3.0",
        ),
        Dataset(
            name="fashion-mnist",
            title="Fashion-MNIST",
            made_by="torchvision.datasets:FashionMNIST",
            classes=(
                "T-shirt/top",
                "Trouser",
                "Pullover",
                "Dress",
                "Coat",
                "Sandal",
                "Shirt",
                "Sneaker",
                "Bag",
                "Ankle boot",
            ),
            train_per_class=(6000,) * 10,
            scale=(0.2860, 0.3530),
            licence="Zalando SE, 2017; MIT",
        ),
        Dataset(
            name="kmnist",
            title="Kuzushiji-MNIST",
            made_by="torchvision.datasets:KMNIST",
            classes=("o", "ki", "su", "tsu", "na", "ha", "ma", "ya", "re", "wo"),
            train_per_class=(6000,) * 10,
            licence="NIJL and CODH, adapted by T. Clanuwat et al., 2018; CC BY-SA 4.0",
        ),
        Dataset(
            name="emnist-letters",
            title="EMNIST letters",  # as published: rows and columns are exchanged
            made_by="torchvision.datasets:EMNIST",
            arguments={"split": "letters"},
            classes=("N/A", *string.ascii_lowercase),  # label 0 has no images
            train_per_class=(0, *(4800,) * 26),
            licence="G. Cohen, S. Afshar, J. Tapson, A. van Schaik, 2017, from NIST's database 19",
        ),
        Dataset(
            name="digits",
            title="scikit-learn's 8×8 digits",
            made_by="dropout_bench.data.digits:Digits",
            classes=DIGIT_NAMES,
            # 1,797 images, of which every fifth of each class is kept for the test set.
            train_per_class=(143, 146, 142, 147, 145, 146, 145, 144, 140, 144),
            shape=(8, 8),
            white=16,
            licence="E. Alpaydin, C. Kaynak, 1998 (UCI repository); CC BY 4.0",
        ),
    )
}
