import tempfile
from pathlib import Path

import cog
import numpy as np
from cog import BaseModel, BasePredictor, Input
from PIL import Image, ImageOps

LOOKED_AT = 200  # pixels of a side; more do not change the colours that are found
ROUNDS = 30


class Output(BaseModel):
    poster: cog.Path
    layers: list[cog.Path]
    shares: dict[str, float]


class Predictor(BasePredictor):
    def predict(
        self,
        image: cog.Path = Input(description="a picture"),
        colors: int = Input(description="how many colours to keep", default=5, ge=2, le=12),
    ) -> Output:
        """Return the picture in few colours, a stencil for each of them, and how much each covers."""
        with Image.open(image) as opened:
            picture = ImageOps.exif_transpose(opened).convert("RGB")
        small = picture.copy()
        small.thumbnail((LOOKED_AT, LOOKED_AT))
        centres = k_means(np.asarray(small, np.float32).reshape(-1, 3), colors)
        nearest = closest(np.asarray(picture, np.float32).reshape(-1, 3), centres)
        covered = np.bincount(nearest, minlength=len(centres))
        print(f"{picture.width}x{picture.height}: {np.count_nonzero(covered)} colours")
        folder = Path(tempfile.mkdtemp())
        shape = (picture.height, picture.width)
        palette = centres.round().astype(np.uint8)
        Image.fromarray(palette[nearest].reshape(*shape, 3)).save(folder / "poster.png")
        layers, shares = [], {}
        for index in np.argsort(-covered, kind="stable"):
            if not covered[index]:
                continue
            name = "#{:02x}{:02x}{:02x}".format(*palette[index])
            stencil = np.where(nearest == index, 0, 255).astype(np.uint8).reshape(shape)
            layers.append(cog.Path(folder / f"{len(layers) + 1}-{name[1:]}.png"))
            Image.fromarray(stencil).save(layers[-1])
            shares[name] = round(float(covered[index]) / len(nearest), 4)
        return Output(poster=cog.Path(folder / "poster.png"), layers=layers, shares=shares)


def k_means(points: np.ndarray, count: int) -> np.ndarray:
    """Return `count` centres, the same each time: begin far apart, then move each to the middle of its points."""
    centres = [points.mean(axis=0)]
    distance = ((points - centres[0]) ** 2).sum(axis=1)
    centres = [points[distance.argmax()]]
    while len(centres) < count:
        distance = np.min([((points - centre) ** 2).sum(axis=1) for centre in centres], axis=0)
        centres.append(points[distance.argmax()])
    found = np.array(centres)
    for _ in range(ROUNDS):
        nearest = closest(points, found)
        moved = np.array(
            [points[nearest == k].mean(axis=0) if (nearest == k).any() else found[k] for k in range(count)]
        )
        if np.allclose(moved, found, atol=0.1):
            break
        found = moved
    return found


def closest(points: np.ndarray, centres: np.ndarray) -> np.ndarray:
    """Return for each point the index of the nearest centre, without a table of all distances at once."""
    best = np.zeros(len(points), np.int64)
    least = np.full(len(points), np.inf, np.float32)
    for index, centre in enumerate(centres):
        distance = ((points - centre) ** 2).sum(axis=1)
        nearer = distance < least
        best[nearer], least[nearer] = index, distance[nearer]
    return best
