"""LitServe, with the function's model in LiteRT's own interpreter."""

import io
import os
from typing import Annotated, Any

import litserve
import numpy as np
from ai_edge_litert.interpreter import Interpreter
from fastapi import Body
from PIL import Image


class Reader(litserve.LitAPI):
    def setup(self, device: str) -> None:  # noqa: ARG002 - LitServe names it
        self.model = Interpreter(os.environ["MODEL"])
        self.model.allocate_tensors()
        self.input, self.output = self.model.get_input_details()[0], self.model.get_output_details()[0]

    def decode_request(self, request: Annotated[bytes, Body(media_type="image/png")]) -> Any:
        return np.asarray(Image.open(io.BytesIO(request)).convert("L").resize((28, 28)))

    def predict(self, glyph: Any) -> int:
        self.model.set_tensor(self.input["index"], glyph[np.newaxis, ..., np.newaxis])
        self.model.invoke()
        return int(self.model.get_tensor(self.output["index"])[0, :10].argmax())

    def encode_response(self, digit: int) -> dict[str, int]:
        return {"digit": digit}


if __name__ == "__main__":
    server = litserve.LitServer(Reader(api_path="/"), accelerator="cpu")
    server.run(host="127.0.0.1", port=int(os.environ["PORT"]), generate_client_file=False)
