from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from recbole_medmoe.compat import declare_torchvision_operators
from recbole_medmoe.encoders import EncoderSpec, encode_images
from recbole_medmoe.encoders.image import lite_pixels, open_picture
from recbole_medmoe.errors import ConfigError, DataError


@pytest.fixture(scope="module")
def tiny_network(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Random weights of torchvision's smallest network, by name."""
    declare_torchvision_operators()
    from safetensors.torch import save_file
    from torchvision.models import shufflenet_v2_x0_5

    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("weights") / "net.safetensors"
    save_file(shufflenet_v2_x0_5(weights=None).state_dict(), path)
    return f"torchvision:shufflenet_v2_x0_5:{path}"


def test_a_torchvision_network_gives_what_its_classifier_sees(tiny_network: str, pictures: list[Path]) -> None:
    vectors = encode_images(EncoderSpec("image", tiny_network, "pool"), pictures)
    assert vectors.shape == (3, 1024) and vectors.dtype == np.float32


def test_batched_equals_one_by_one(tiny_network: str, pictures: list[Path]) -> None:
    spec = EncoderSpec("image", tiny_network, "pool")
    alone = np.concatenate([encode_images(spec, [path]) for path in pictures])
    np.testing.assert_allclose(encode_images(spec, pictures, batch_rows=2), alone, atol=1e-5, rtol=1e-5)


def test_weights_of_torch_files_are_read_as_plain_tensors(tiny_network: str, pictures: list[Path],
                                                          tmp_path: Path) -> None:
    from safetensors.torch import load_file

    torch.save(load_file(tiny_network.split(":")[2]), tmp_path / "net.pth")
    other = EncoderSpec("image", f"torchvision:shufflenet_v2_x0_5:{tmp_path / 'net.pth'}", "pool")
    np.testing.assert_array_equal(encode_images(other, pictures),
                                  encode_images(EncoderSpec("image", tiny_network, "pool"), pictures))


def test_weights_of_another_network_are_refused(tiny_network: str, pictures: list[Path]) -> None:
    with pytest.raises(ConfigError, match="does not hold its weights"):
        encode_images(EncoderSpec("image", tiny_network.replace("x0_5", "x1_0"), "pool"), pictures)


@pytest.mark.parametrize("ending", ["pth", "safetensors"])
def test_a_file_that_holds_no_weights_is_refused(pictures: list[Path], tmp_path: Path, ending: str) -> None:
    (tmp_path / f"net.{ending}").write_bytes(b"nothing of the kind")
    with pytest.raises(ConfigError, match="does not hold its weights"):
        encode_images(EncoderSpec("image", f"torchvision:resnet18:{tmp_path / 'net'}.{ending}", "pool"), pictures)


def test_an_unknown_network_names_the_nearest(pictures: list[Path], tiny_network: str) -> None:
    with pytest.raises(ConfigError, match="did you mean 'resnet18'"):
        encode_images(EncoderSpec("image", f"torchvision:resnet_18:{tiny_network.split(':')[2]}", "pool"), pictures)


def test_a_text_backbone_takes_no_pictures(pictures: list[Path], tiny_llama: Path) -> None:
    with pytest.raises(ConfigError, match="encodes llm and is asked for image"):
        encode_images(EncoderSpec("image", str(tiny_llama), "pool"), pictures)


@pytest.mark.parametrize("damage", ["no picture", "truncated", "missing"])
def test_a_picture_that_is_no_picture_is_named(tmp_path: Path, damage: str) -> None:
    path = tmp_path / "banana.jpg"
    if damage == "no picture":
        path.write_text("I am a text")
    elif damage == "truncated":
        Image.new("RGB", (64, 64), "red").save(path)
        path.write_bytes(path.read_bytes()[:300])
    with pytest.raises(DataError, match=r"banana\.jpg: not a picture"):
        open_picture(path)


def test_a_picture_is_turned_as_its_camera_noted(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (40, 20)).save(tmp_path / "x.jpg", exif=exif)
    assert open_picture(tmp_path / "x.jpg").size == (20, 40)


def test_lite_pixels_are_the_middle_scaled_as_in_training() -> None:
    picture = Image.new("RGB", (512, 256), (0, 0, 0))
    picture.paste((255, 127, 0), (128, 0, 384, 256))
    pixels = lite_pixels(picture)
    assert pixels.shape == (3, 224, 224)
    assert pixels[:, 112, 112].tolist() == [1.0, 0.0, -127 / 128]


def test_a_very_small_or_narrow_picture_still_fills_the_crop() -> None:
    assert lite_pixels(Image.new("RGB", (3, 500))).shape == lite_pixels(Image.new("RGB", (1, 1))).shape == (3, 224, 224)


def test_nothing_to_encode_is_refused() -> None:
    with pytest.raises(DataError, match="nothing to encode"):
        encode_images(EncoderSpec("image", "efficientnet-lite0", "pool"), [])


@pytest.mark.e2e
def test_efficientnet_lite_puts_two_views_of_a_flower_nearer_than_a_temple(tmp_path: Path) -> None:
    from sklearn.datasets import load_sample_images

    flower = load_sample_images().images[1]
    temple = load_sample_images().images[0]
    for name, pixels in (("flower", flower), ("crop", flower[20:, 40:-20]), ("temple", temple)):
        Image.fromarray(pixels).save(tmp_path / f"{name}.png")
    vectors = encode_images(EncoderSpec("image", "efficientnet-lite0", "pool"),
                            [tmp_path / "flower.png", tmp_path / "crop.png", tmp_path / "temple.png"], progress=False)
    assert vectors.shape == (3, 1280)
    near, far = np.linalg.norm(vectors[0] - vectors[1]), np.linalg.norm(vectors[0] - vectors[2])
    assert near < 0.6 * far
