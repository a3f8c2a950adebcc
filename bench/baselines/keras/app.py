"""The whole of TensorFlow behind Flask: the picture is made grey, 28 × 28, and given to the Keras model."""

import os

import keras
import numpy as np
from flask import Flask, request
from PIL import Image

app = Flask(__name__)
model = keras.models.load_model(os.environ["MODEL"], compile=False)


@app.post("/")
def read() -> dict[str, int]:
    glyph = np.asarray(Image.open(request.stream).convert("L").resize((28, 28)), np.float32) / 255
    logits = model.predict_on_batch(glyph[np.newaxis, ..., np.newaxis])  # which is faster than `predict` for one
    return {"digit": int(logits[0, :10].argmax())}
