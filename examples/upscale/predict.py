import math
import tempfile

import ncnn
import numpy as np
from cog import BasePredictor, Input, Path
from PIL import Image, ImageOps

FACTORS = (2, 3, 4)
MAX_PIXELS = 1_000_000
TILE = 200
MARGIN = 18  # how far a pixel of the output looks: the network is 18 convolutions deep


class Predictor(BasePredictor):
    def setup(self) -> None:
        """Load the three networks: one for each whole factor."""
        folder = Path(__file__).parent / "weights"
        self.networks = {factor: load(folder, factor) for factor in FACTORS}

    def predict(
        self,
        image: Path = Input(description="image to enlarge"),
        scale: float = Input(description="how many times larger", default=1.5, ge=1, le=8),
    ) -> Path:
        """Enlarge with the next larger network, then fit to the exact size with Lanczos."""
        with Image.open(image) as opened:
            if opened.width * opened.height > MAX_PIXELS:
                raise ValueError(
                    f"the image is {opened.width}x{opened.height}; at most {MAX_PIXELS:,} pixels are taken"
                )
            picture = ImageOps.exif_transpose(opened)
            picture.load()
        size = (max(1, round(picture.width * scale)), max(1, round(picture.height * scale)))
        factor = min(max(math.ceil(scale), FACTORS[0]), FACTORS[-1])
        print(f"{picture.width}x{picture.height} -> {size[0]}x{size[1]} with the x{factor} network")
        larger = enlarge(self.networks[factor], picture.convert("RGB"), factor)
        if has_alpha(picture):
            alpha = picture.convert("RGBA").getchannel("A")
            larger.putalpha(alpha.resize(larger.size, Image.Resampling.LANCZOS))
        if larger.size != size:
            larger = larger.resize(size, Image.Resampling.LANCZOS)
        output = Path(tempfile.mkdtemp()) / "output.png"
        larger.save(output)
        return output


def load(folder: Path, factor: int) -> ncnn.Net:
    network = ncnn.Net()
    network.opt.use_vulkan_compute = False
    stem = folder / f"realesr-animevideov3-x{factor}"
    if network.load_param(f"{stem}.param") or network.load_model(f"{stem}.bin"):
        raise FileNotFoundError(f"the weights {stem}.* are not there; fetch them: python fetch_weights.py")
    return network


def enlarge(network: ncnn.Net, picture: Image.Image, factor: int) -> Image.Image:
    """Enlarge tile by tile, so that a large picture needs no more memory than a small one."""
    whole = Image.new("RGB", (picture.width * factor, picture.height * factor))
    for top in range(0, picture.height, TILE):
        for left in range(0, picture.width, TILE):
            right, bottom = min(left + TILE, picture.width), min(top + TILE, picture.height)
            x, y = max(left - MARGIN, 0), max(top - MARGIN, 0)
            around = (x, y, min(right + MARGIN, picture.width), min(bottom + MARGIN, picture.height))
            tile = enlarge_tile(network, picture.crop(around), factor)
            inside = ((left - x) * factor, (top - y) * factor, (right - x) * factor, (bottom - y) * factor)
            whole.paste(tile.crop(inside), (left * factor, top * factor))
    return whole


def enlarge_tile(network: ncnn.Net, picture: Image.Image, factor: int) -> Image.Image:
    pixels = np.ascontiguousarray(np.asarray(picture, np.float32).transpose(2, 0, 1) / 255)
    with network.create_extractor() as extractor:
        # clone(): ncnn keeps a pointer into the array, and the array may be gone when it computes
        extractor.input("data", ncnn.Mat(pixels).clone())
        status, result = extractor.extract("output")
    if status:
        raise RuntimeError(f"the network failed with status {status}")
    values = np.array(result).transpose(1, 2, 0)
    height, width = picture.height * factor, picture.width * factor
    return Image.fromarray((values[:height, :width].clip(0, 1) * 255).round().astype(np.uint8))


def has_alpha(picture: Image.Image) -> bool:
    return picture.mode in {"RGBA", "LA", "PA"} or "transparency" in picture.info
