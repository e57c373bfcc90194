#!/usr/bin/python3
"""Trains the classifier that `mini-infer demo` carries: eight shapes in pictures that this script draws.

  apt-get install python3-torch python3-onnx
  /usr/bin/python3 tools/demo/train_demo.py        writes shapes.onnx and star.png beside this file

Everything is seeded. The test pictures are drawn from another seed than the training ones.
"""
import argparse
import pathlib
import struct
import zlib

import numpy as np
import onnx
import torch
from torch import nn

SIZE = 64
CLASSES = ["circle", "square", "triangle", "star", "heart", "cross", "ring", "moon"]


def polygon(u, v, vertices):
    """Even-odd test: which of the points (u, v) lie inside the polygon."""
    inside = np.zeros(u.shape, bool)
    for (x0, y0), (x1, y1) in zip(vertices, np.roll(vertices, -1, axis=0)):
        crosses = (y0 > v) != (y1 > v)
        inside ^= crosses & (u < (x1 - x0) * (v - y0) / (y1 - y0 + 1e-12) + x0)
    return inside


def ring_of_points(count, radii):
    angle = np.arange(count) * 2 * np.pi / count - np.pi / 2
    radius = np.resize(radii, count)
    return np.stack([radius * np.cos(angle), radius * np.sin(angle)], 1)


def inside_shape(name, u, v):
    """u, v: coordinates in which the shape has a radius of about 1."""
    r = np.hypot(u, v)
    if name == "circle":
        return r < 0.9
    if name == "square":
        return np.maximum(abs(u), abs(v)) < 0.75
    if name == "triangle":
        return polygon(u, v, ring_of_points(3, [1.05]))
    if name == "star":
        return polygon(u, v, ring_of_points(10, [1.1, 0.45]))
    if name == "heart":
        x, y = 1.2 * u, -1.2 * v
        return (x * x + y * y - 1) ** 3 - x * x * y**3 < 0
    if name == "cross":
        return (np.minimum(abs(u), abs(v)) < 0.28) & (np.maximum(abs(u), abs(v)) < 0.95)
    if name == "ring":
        return (r > 0.55) & (r < 1)
    return (r < 1) & (np.hypot(u - 0.5, v) > 0.8)  # moon


def draw(name, size, rng, noise=None):
    """One picture, [size, size, 3] uint8: a shape of one colour on a shaded background with noise."""
    fine = 3 * size  # three samples per pixel and axis
    y, x = np.mgrid[0:fine, 0:fine] / fine * 2 - 1 + 1 / fine
    radius = rng.uniform(0.38, 0.72)
    cx, cy = rng.uniform(-1, 1, 2) * (0.95 - radius) * 0.8
    turn = rng.uniform(0, 2 * np.pi) if name != "heart" else rng.uniform(-0.6, 0.6)
    u = (np.cos(turn) * (x - cx) + np.sin(turn) * (y - cy)) / radius
    v = (-np.sin(turn) * (x - cx) + np.cos(turn) * (y - cy)) / radius
    mask = inside_shape(name, u, v).reshape(size, 3, size, 3).mean((1, 3))[..., None]
    back, fore = rng.uniform(0, 1, (2, 3))
    while abs(back - fore).sum() < 0.8:
        back, fore = rng.uniform(0, 1, (2, 3))
    slope = rng.uniform(-0.2, 0.2, (2, 3))
    py, px = np.mgrid[0:size, 0:size][..., None] / size - 0.5
    picture = mask * fore + (1 - mask) * (back + slope[0] * px + slope[1] * py)
    picture = picture + rng.normal(0, rng.uniform(0, 0.1) if noise is None else noise, picture.shape)
    return (picture.clip(0, 1) * 255).round().astype(np.uint8)


def pictures(count, seed):
    rng = np.random.default_rng(seed)
    labels = np.arange(count) % len(CLASSES)
    images = np.stack([draw(CLASSES[k], SIZE, rng) for k in labels])
    x = torch.from_numpy(images).permute(0, 3, 1, 2).float() / 127.5 - 1
    return x, torch.from_numpy(labels)


def network():
    def block(cin, cout, stride):
        return [nn.Conv2d(cin, cout, 3, stride, 1, bias=False), nn.BatchNorm2d(cout), nn.ReLU()]

    return nn.Sequential(*block(3, 12, 2), *block(12, 20, 2), *block(20, 28, 1), *block(28, 36, 2),
                         *block(36, 36, 2), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(36, len(CLASSES)))


def accuracy(model, x, y):
    model.eval()
    with torch.no_grad():
        return (model(x).argmax(1) == y).float().mean().item()


def train(model, x, y, epochs):
    optimizer = torch.optim.Adam(model.parameters(), 4e-3)
    batch = 64
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 8e-3, epochs * (len(x) // batch))
    for epoch in range(epochs):
        model.train()
        order = torch.randperm(len(x))
        for i in range(len(x) // batch):
            pick = order[i * batch:(i + 1) * batch]
            inputs = x[pick]
            turns = int(torch.randint(4, ()))
            inputs = torch.rot90(inputs, turns, (2, 3))
            if torch.rand(()) < 0.5:
                inputs = inputs.flip(3)
            loss = nn.functional.cross_entropy(model(inputs), y[pick])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
        print(f"epoch {epoch + 1}: loss of the last batch {loss.item():.4f}", flush=True)


def save_model(model, path):
    model.eval()
    with_softmax = nn.Sequential(model, nn.Softmax(1)).eval()
    torch.onnx.export(with_softmax, torch.zeros(1, 3, SIZE, SIZE), str(path), opset_version=13,
                      input_names=["image"], output_names=["probabilities"])
    proto = onnx.load(str(path))
    onnx.helper.set_model_props(proto, {
        "mini_infer.preset": "pm1",
        "names": str(dict(enumerate(CLASSES))),
        "description": "eight shapes, trained by tools/demo/train_demo.py",
    })
    onnx.checker.check_model(proto)
    onnx.save(proto, str(path))


def save_png(image, path):
    def chunk(tag, data):
        return (struct.pack(">I", len(data)) + tag + data
                + struct.pack(">I", zlib.crc32(tag + data)))

    height, width, _ = image.shape
    rows = b"".join(b"\0" + image[y].tobytes() for y in range(height))
    path.write_bytes(b"\x89PNG\r\n\x1a\n"
                     + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
                     + chunk(b"IDAT", zlib.compress(rows, 9)) + chunk(b"IEND", b""))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pictures", type=int, default=12000)
    parser.add_argument("--epochs", type=int, default=20)
    option = parser.parse_args()
    torch.manual_seed(1)
    torch.set_num_threads(1)  # the same sums on every machine with one kind of CPU
    folder = pathlib.Path(__file__).parent
    x, y = pictures(option.pictures, seed=1)
    test_x, test_y = pictures(1600, seed=2)
    model = network()
    train(model, x, y, option.epochs)
    print(f"accuracy on {len(test_x)} unseen pictures: {accuracy(model, test_x, test_y):.4f}")
    save_model(model, folder / "shapes.onnx")
    save_png(draw("star", 160, np.random.default_rng(7), noise=0.02), folder / "star.png")


if __name__ == "__main__":
    main()
