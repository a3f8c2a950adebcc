"""BentoML, with the function's model in LiteRT's own interpreter; it answers one request of a worker at a time."""

import os

import bentoml
import numpy as np
from ai_edge_litert.interpreter import Interpreter
from PIL.Image import Image


@bentoml.service
class Reader:
    def __init__(self) -> None:
        self.model = Interpreter(os.environ["MODEL"])
        self.model.allocate_tensors()
        self.input, self.output = self.model.get_input_details()[0], self.model.get_output_details()[0]

    @bentoml.api(route="/")
    def read(self, image: Image, /) -> dict[str, int]:
        glyph = np.asarray(image.convert("L").resize((28, 28)))
        self.model.set_tensor(self.input["index"], glyph[np.newaxis, ..., np.newaxis])
        self.model.invoke()
        return {"digit": int(self.model.get_tensor(self.output["index"])[0, :10].argmax())}
