#!/usr/bin/env python3
"""Boxes for tests/tasks/photographs_test.cc, found without mini-infer.

Pictures are prepared with Pillow, networks run in onnxruntime (through node, with onnxruntime-node in
NODE_PATH), outputs are decoded here with numpy, each network as its own repository does it. Prints
the rows of kReferences in the test.

    NODE_PATH=.../node_modules python3 tests/tasks/reference_boxes.py ../shared
"""
import json
import os
import subprocess
import sys
import tempfile

import numpy as np
from PIL import Image

RUN = """
const ort = require('onnxruntime-node'); const fs = require('fs');
(async () => {
  const [model, input, dims, out] = process.argv.slice(1);
  const session = await ort.InferenceSession.create(model, {graphOptimizationLevel: 'disabled'});
  const bytes = fs.readFileSync(input);
  const data = new Float32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4);
  const results = await session.run({[session.inputNames[0]]: new ort.Tensor('float32', data, JSON.parse(dims))});
  const list = session.outputNames.map((name, i) => {
    fs.writeFileSync(out + i, Buffer.from(new Float32Array(results[name].data).buffer));
    return results[name].dims; });
  console.log(JSON.stringify(list));
})();
"""


def run(model, pixels):
    """pixels: [H,W,3] -> the outputs for [1,3,H,W]."""
    array = np.ascontiguousarray(pixels.transpose(2, 0, 1)[None].astype(np.float32))
    with tempfile.TemporaryDirectory() as folder:
        array.tofile(folder + "/in")
        text = subprocess.run(["node", "-e", RUN, model, folder + "/in", json.dumps(array.shape), folder + "/out"],
                              check=True, capture_output=True, text=True).stdout
        return [np.fromfile(f"{folder}/out{i}", np.float32).reshape(dims) for i, dims in enumerate(json.loads(text))]


def fitted(image, width, height, how):
    """The picture for the network, and the function that leads boxes (l, t, r, b) back."""
    w, h = image.size
    if how == "stretch":
        made = np.asarray(image.resize((width, height), Image.BILINEAR), float)
        return made, lambda b: b * np.array([w / width, h / height] * 2)
    ratio = min(width / w, height / h)
    nw, nh = round(w * ratio), round(h * ratio)
    left, top = (0, 0) if how == "corner" else ((width - nw) // 2, (height - nh) // 2)
    made = np.full((height, width, 3), 114.0)
    made[top:top + nh, left:left + nw] = np.asarray(image.resize((nw, nh), Image.BILINEAR), float)
    return made, lambda b: (b - np.array([left, top] * 2)) * np.array([w / nw, h / nh] * 2)


def corners(middle_and_size):
    x, y, w, h = middle_and_size.T
    return np.stack([x - w / 2, y - h / 2, x + w / 2, y + h / 2], 1)


def suppress(boxes, scores, classes, least_score, most_iou):
    keep = scores >= least_score
    boxes, scores, classes = boxes[keep], scores[keep], classes[keep]
    areas = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    order, chosen = np.argsort(-scores, kind="stable"), []
    while len(order):
        i, order = order[0], order[1:]
        chosen.append(i)
        low = np.maximum(boxes[i, :2], boxes[order, :2])
        high = np.minimum(boxes[i, 2:], boxes[order, 2:])
        both = np.prod(np.clip(high - low, 0, None), 1)
        same = (both / (areas[i] + areas[order] - both) > most_iou) & (classes[order] == classes[i])
        order = order[~same]
    return boxes[chosen], scores[chosen], classes[chosen]


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def mesh(rows, columns):
    y, x = np.mgrid[:rows, :columns]
    return np.stack([x, y], -1).reshape(-1, 2).astype(float)


def yolox(model, image):
    made, back = fitted(image, 416, 416, "corner")
    out = run(model, made[..., ::-1])[0][0].astype(float)
    cells = np.concatenate([mesh(416 // s, 416 // s) for s in (8, 16, 32)])
    strides = np.concatenate([np.full((416 // s) ** 2, s) for s in (8, 16, 32)])[:, None]
    boxes = np.hstack([(out[:, :2] + cells) * strides, np.exp(out[:, 2:4]) * strides])
    scores = out[:, 4:5] * out[:, 5:]
    return suppress(back(corners(boxes)), scores.max(1), scores.argmax(1), 0.3, 0.45)


def yolov8(model, image):
    made, back = fitted(image, 320, 320, "letterbox")
    out = run(model, made / 255)[0][0].T.astype(float)
    return suppress(back(corners(out[:, :4])), out[:, 4:].max(1), out[:, 4:].argmax(1), 0.25, 0.45)


V5_ANCHORS = np.array([[10, 13, 16, 30, 33, 23], [30, 61, 62, 45, 59, 119], [116, 90, 156, 198, 373, 326]], float)


def yolov5(model, image):
    made, back = fitted(image, 320, 320, "letterbox")
    out = run(model, made / 255)[0][0].astype(float)
    boxes, start = [], 0
    for stride, anchors in zip((8, 16, 32), V5_ANCHORS.reshape(3, 3, 2)):
        cells = mesh(320 // stride, 320 // stride)
        for anchor in anchors:
            part = out[start:start + len(cells)]
            start += len(cells)
            boxes.append(np.hstack([(part[:, :2] * 2 - 0.5 + cells) * stride, (part[:, 2:4] * 2) ** 2 * anchor]))
    scores = out[:, 4:5] * out[:, 5:]
    return suppress(back(corners(np.concatenate(boxes))), scores.max(1), scores.argmax(1), 0.25, 0.45)


FASTEST_ANCHORS = np.array([12.64, 19.39, 37.88, 51.48, 55.71, 138.31, 126.91, 78.23, 131.57, 214.55, 279.92, 258.87])


def fastest(model, image):
    made, back = fitted(image, 352, 352, "stretch")
    boxes, scores = [], []
    for out, anchors in zip(run(model, made[..., ::-1] / 255), FASTEST_ANCHORS.reshape(2, 3, 2)):
        side = out.shape[1]
        flat, stride = out.reshape(side * side, -1).astype(float), 352 / side
        for a, anchor in enumerate(anchors):
            t = flat[:, 4 * a:4 * a + 4]
            boxes.append(np.hstack([(t[:, :2] * 2 - 0.5 + mesh(side, side)) * stride, (t[:, 2:] * 2) ** 2 * anchor]))
            scores.append(flat[:, 12 + a:13 + a] * flat[:, 15:])
    scores = np.concatenate(scores)
    return suppress(back(corners(np.concatenate(boxes))), scores.max(1), scores.argmax(1), 0.3, 0.4)


def ultraface(model, image):
    made, back = fitted(image, 320, 240, "stretch")
    scores, boxes = (out[0].astype(float) for out in run(model, (made - 127) / 128))
    boxes = boxes * np.array([320, 240] * 2)
    return suppress(back(boxes), scores[:, 1], np.zeros(len(scores), int), 0.7, 0.3)


def prior_boxes(maps, strides, sizes):
    rows = []
    for (h, w), stride, many in zip(maps, strides, sizes):
        for cell in mesh(h, w):
            rows += [[*((cell + 0.5) * stride), size, size] for size in many]
    return np.array(rows, float)


def from_priors(loc, priors):
    middle = priors[:, :2] + loc[:, :2] * 0.1 * priors[:, 2:]
    return corners(np.hstack([middle, priors[:, 2:] * np.exp(loc[:, 2:4] * 0.2)]))


FACE_SIZES = ([10, 16, 24], [32, 48], [64, 96], [128, 192, 256])


def ultraface_slim(model, image):
    made, back = fitted(image, 320, 240, "stretch")
    scores, loc = (out[0].astype(float) for out in run(model, (made - 127) / 128))
    priors = prior_boxes([(30, 40), (15, 20), (8, 10), (4, 5)], (8, 16, 32, 64), FACE_SIZES)
    return suppress(back(from_priors(loc, priors)), scores[:, 1], np.zeros(len(scores), int), 0.7, 0.3)


def yunet(model, image):
    made, back = fitted(image, 160, 120, "letterbox")
    loc, conf, overlap = (out.astype(float) for out in run(model, made[..., ::-1]))
    priors = prior_boxes([(15, 20), (7, 10), (3, 5), (1, 2)], (8, 16, 32, 64), FACE_SIZES)
    scores = np.sqrt(conf[:, 1] * np.clip(overlap[:, 0], 0, 1))
    return suppress(back(from_priors(loc, priors)), scores, np.zeros(len(loc), int), 0.6, 0.4)


def retinaface(model, image):
    made, back = fitted(image, 640, 640, "letterbox")
    loc, conf, _ = (out[0].astype(float) for out in run(model, made[..., ::-1] - np.array([104, 117, 123])))
    priors = prior_boxes([(80, 80), (40, 40), (20, 20)], (8, 16, 32), ([16, 32], [64, 128], [256, 512]))
    return suppress(back(from_priors(loc, priors)), conf[:, 1], np.zeros(len(loc), int), 0.6, 0.4)


def text(model, image):
    """Upright boxes around the slanted ones: every direction of a side is tried, in steps of 0.1 degree."""
    w, h = image.size[0] // 32 * 32, image.size[1] // 32 * 32
    made, back = fitted(image, w, h, "stretch")
    made = (made[..., ::-1] / 255 - np.array([0.485, 0.456, 0.406])) / np.array([0.229, 0.224, 0.225])
    prob = run(model, made)[0].reshape(h, w).astype(float)
    label, boxes, scores = np.where(prob > 0.3, np.arange(h * w).reshape(h, w) + 1, 0), [], []
    while True:  # the largest number spreads over each region
        padded = np.pad(label, 1)
        spread = np.max([padded[1 + dy:1 + dy + h, 1 + dx:1 + dx + w] for dy in (-1, 0, 1) for dx in (-1, 0, 1)], 0)
        spread = np.where(label > 0, spread, 0)
        if (spread == label).all():
            break
        label = spread
    for number in np.unique(label[label > 0]):
        y, x = np.nonzero(label == number)
        points = np.concatenate([np.stack([x + dx, y + dy], 1) for dx in (0, 1) for dy in (0, 1)]).astype(float)
        best = None
        for angle in np.radians(np.arange(-45, 45, 0.1)):
            turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
            low, high = (points @ turn).min(0), (points @ turn).max(0)
            if best is None or np.prod(high - low) < np.prod(best[1] - best[0]) - 1e-9:
                best = low, high, turn
        low, high, turn = best
        size, score = high - low, prob[y, x].mean()
        if size.min() < 3 or score < 0.6:
            continue
        grow = 1.5 * np.prod(size) / (2 * size.sum())
        low, high = low - grow, high + grow
        ends = np.array([[low[0], low[1]], [high[0], low[1]], [high[0], high[1]], [low[0], high[1]]]) @ turn.T
        boxes.append([*ends.min(0), *ends.max(0)])
        scores.append(score)
    return back(np.array(boxes)), np.array(scores), np.zeros(len(boxes), int)


SCENES = ("bus.jpg", "dog.jpg", "sofa_cats.jpg", "street.jpg")
CASES = [("yolox_nano", yolox, SCENES), ("yolov8n_int8_dynamic_320", yolov8, SCENES),
         ("yolov5lite_e_320", yolov5, SCENES), ("yolo_fastestv2_coco", fastest, SCENES),
         ("ultraface_rfb_320", ultraface, ("faces_group.jpg",)),
         ("ultraface_slim_320_simplified", ultraface_slim, ("faces_group.jpg",)),
         ("yunet_2021_120x160", yunet, ("faces_group.jpg",)),
         ("retinaface_mnet_640_ort", retinaface, ("faces_group.jpg",)), ("ppocrv3_det_ch", text, ("text_en.jpg",))]


def main(shared):
    for name, find, pictures in CASES:
        for picture in pictures:
            image = Image.open(os.path.join(shared, "images", picture)).convert("RGB")
            boxes, scores, classes = find(os.path.join(shared, "models", name, "model.onnx"), image)
            boxes = np.clip(boxes, 0, np.array([*image.size] * 2))
            rows = [f"{{{c}, {s:.3f}, {{{', '.join(f'{v:.1f}' for v in b)}}}}}" for b, s, c in zip(boxes, scores, classes)]
            print(f'    {{"{name}", "{picture}",\n     {{{", ".join(rows)}}}}},')


if __name__ == "__main__":
    main(sys.argv[1])
