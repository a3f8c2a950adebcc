"""ONNX Runtime in the frame that the function has, with the function's model."""

import os

import functions_framework
import numpy as np
import onnxruntime
from flask import Request
from PIL import Image

session = onnxruntime.InferenceSession(os.environ["MODEL"], providers=["CPUExecutionProvider"])
name = session.get_inputs()[0].name


@functions_framework.http
def read(request: Request) -> dict[str, int]:
    glyph = np.asarray(Image.open(request.stream).convert("L").resize((28, 28)))
    (logits,) = session.run(None, {name: glyph[np.newaxis, ..., np.newaxis]})
    return {"digit": int(logits[0, :10].argmax())}
