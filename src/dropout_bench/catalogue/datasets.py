"""The three datasets: what is known of each before a byte of it is read."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Dataset:
    """Facts about a dataset.

    Attributes:
        name: its name on the command line and in ``params.yaml``.
        title: its name in prose.
        classes: the name of each class, by label.
        train_per_class: number of training images of each class, by label.
        shape: height and width of an image, in pixels.
        white: the value of a fully inked pixel; 0 is the background.
        md5: the published MD5 sum of each original gzip file; none where nothing is downloaded.
        folder: name of the dataset's folder in a mirror.
        licence: its authors and licence.
    """

    name: str
    title: str
    classes: tuple[str, ...]
    train_per_class: tuple[int, ...]
    shape: tuple[int, int]
    white: int
    md5: dict[str, str]
    folder: str
    licence: str

    @property
    def pixels(self) -> int:
        """Number of pixels of an image: the network's input width."""
        return self.shape[0] * self.shape[1]

    def facts(self) -> dict[str, Any]:
        """Return what a run's bytes depend on, besides the data themselves."""
        return {"shape": self.shape, "white": self.white}


DIGIT_NAMES = tuple(str(digit) for digit in range(10))

DATASETS = {
    dataset.name: dataset
    for dataset in (
        Dataset(
            name="mnist",
            title="MNIST",
            classes=DIGIT_NAMES,
            train_per_class=(5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949),
            shape=(28, 28),
            white=255,
            md5={
                "train-images-idx3-ubyte": "f68b3c2dcbeaaa9fbdd348bbdeb94873",
                "train-labels-idx1-ubyte": "d53e105ee54ea40749a09fcbcd1e9432",
                "t10k-images-idx3-ubyte": "9fb629c4189551a2d022fa330f9573f3",
                "t10k-labels-idx1-ubyte": "ec29112dd5afa0611ce80d1b7f02629c",
            },
            folder="MNIST",
            licence="Y. LeCun, C. Cortes, C. Burges; CC BY-SA 3.0",
        ),
        Dataset(
            name="fashion-mnist",
            title="Fashion-MNIST",
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
            shape=(28, 28),
            white=255,
            md5={
                "train-images-idx3-ubyte": "8d4fb7e6c68d591d4c3dfef9ec88bf0d",
                "train-labels-idx1-ubyte": "25c81989df183df01b3e8a0aad5dffbe",
                "t10k-images-idx3-ubyte": "bef4ecab320f06d8554ea6380940ec79",
                "t10k-labels-idx1-ubyte": "bb300cfdad3c16e7a12a480ee83cd310",
            },
            folder="FashionMNIST",
            licence="Zalando SE, 2017; MIT",
        ),
        Dataset(
            name="digits",
            title="scikit-learn's 8×8 digits",
            classes=DIGIT_NAMES,
            # 1,797 images, of which every fifth of each class is kept for the test set.
            train_per_class=(143, 146, 142, 147, 145, 146, 145, 144, 140, 144),
            shape=(8, 8),
            white=16,
            md5={},
            folder="",
            licence="E. Alpaydin, C. Kaynak, 1998 (UCI repository); CC BY 4.0",
        ),
    )
}
