"""Glyphs as another hand, pen, paper and light might have made them."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

# The most that a glyph is changed; each is changed by a random share of all of these.
ROTATION = 0.26  # radians (15°), uniform, each way; as are all that follow
SHEAR = 0.25
STRETCH = 0.15  # of width and height, independently
SHIFT = 1.5  # pixels
PERSPECTIVE = 0.006  # per pixel from the centre
WOBBLE = 0.9  # pixels, standard deviation of a 4×4 lattice of displacements (Simard et al., 2003)
THICKER, THINNER = 0.9, 0.5  # share of a 3×3 dilation or erosion mixed in
GAMMA = 0.4  # of the ink's darkness, as a power of e
NOISE = 0.04


def scale(images: Any) -> tf.Tensor:
    """uint8 (n, 28, 28) → float32 (n, 28, 28, 1) in [0, 1]."""
    return tf.cast(images, tf.float32)[..., tf.newaxis] / 255.0


def augment(images: tf.Tensor) -> tf.Tensor:
    """uint8 (n, 28, 28) → float32 (n, 28, 28, 1) in [0, 1], each changed in its own way."""
    share = tf.random.uniform((tf.shape(images)[0],))
    return rewrite(warp(scale(images), share), share)


def warp(images: tf.Tensor, share: tf.Tensor) -> tf.Tensor:
    """(n, 28, 28, 1) seen on paper that is turned, sheared, stretched, shifted, tilted and not quite flat; each by its
    (n,) `share` of the most."""
    n = tf.shape(images)[0]

    def spread(limit: float, *shape: int) -> tf.Tensor:
        return tf.random.uniform((n, *shape), -limit, limit) * tf.reshape(share, (n, *(1 for _ in shape)))

    axis = tf.range(28.0) - 13.5
    grid = tf.reshape(tf.stack(tf.meshgrid(axis, axis), -1), (1, 784, 2))
    angle = spread(ROTATION)
    turn = tf.stack([tf.cos(angle), -tf.sin(angle), tf.sin(angle), tf.cos(angle)], -1)
    width, height = tf.unstack(1 + spread(STRETCH, 2), axis=-1)
    stretch = tf.stack([width, spread(SHEAR), tf.zeros(n), height], -1)
    matrix = tf.reshape(turn, (n, 2, 2)) @ tf.reshape(stretch, (n, 2, 2))
    tilt = 1 + tf.reduce_sum(grid * spread(PERSPECTIVE, 1, 2), -1, keepdims=True)
    lattice = tf.random.normal((n, 4, 4, 2), stddev=WOBBLE) * tf.reshape(share, (n, 1, 1, 1))
    wobble = tf.image.resize(lattice, (28, 28), "bicubic")
    where = tf.matmul(grid / tilt, matrix, transpose_b=True) + spread(SHIFT, 1, 2) + tf.reshape(wobble, (n, 784, 2))
    return sample(images, where + 14.5)  # 13.5 to the centre and 1 for the border that sample adds


def sample(images: tf.Tensor, where: tf.Tensor) -> tf.Tensor:
    """Bilinear values of (n, 28, 28, 1) with a border of one pixel of paper, at (n, 784, 2) places (x, y)."""
    flat = tf.reshape(tf.pad(images, ((0, 0), (1, 1), (1, 1), (0, 0))), (-1, 900))
    where = tf.clip_by_value(where, 0.0, 28.999)
    corner = tf.floor(where)
    (fx, fy), (x, y) = tf.unstack(where - corner, axis=-1), tf.unstack(tf.cast(corner, tf.int32), axis=-1)

    def at(dx: int, dy: int) -> tf.Tensor:
        return tf.gather(flat, (y + dy) * 30 + x + dx, batch_dims=1)

    top, bottom = at(0, 0) * (1 - fx) + at(1, 0) * fx, at(0, 1) * (1 - fx) + at(1, 1) * fx
    return tf.reshape(top * (1 - fy) + bottom * fy, (-1, 28, 28, 1))


def rewrite(images: tf.Tensor, share: tf.Tensor) -> tf.Tensor:
    """(n, 28, 28, 1) written with a thicker, thinner, darker or fainter pen, on paper with some grain; each by
    its (n,) `share` of the most."""
    each = (tf.shape(images)[0], 1, 1, 1)
    share = tf.reshape(share, each)
    thick = tf.nn.max_pool2d(images, 3, 1, "SAME")
    thin = -tf.nn.max_pool2d(-images, 3, 1, "SAME")
    pen = tf.random.uniform(each, -THINNER, THICKER) * share
    images = images + tf.nn.relu(pen) * (thick - images) + tf.nn.relu(-pen) * (thin - images)
    images = images ** tf.exp(tf.random.uniform(each, -GAMMA, GAMMA) * share)
    grain = tf.random.normal(tf.shape(images)) * tf.random.uniform(each, 0, NOISE) * share
    return tf.clip_by_value(images + grain, 0.0, 1.0)
