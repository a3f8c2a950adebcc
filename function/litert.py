"""A TFLite model, run by LiteRT through its C interface.

LiteRT's Python package takes longer to import than all the rest of a cold start that is ours; its library alone takes a
few milliseconds to load, and is a small part of its size. What is called here is in LiteRT's `litert/c/*.h`.
"""

from __future__ import annotations

import ctypes
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

AUTO_REGISTER_ACCELERATORS, MIN_LOGGER_SEVERITY = 24, 25  # LiteRtEnvOptionTag
CPU = 1  # LiteRtHwAccelerators
ERRORS = 3  # LiteRtLogSeverity: by default it tells of every accelerator that is not there
INT = 2  # LiteRtAnyType
ALIGNMENT = 64  # bytes: LITERT_HOST_MEMORY_BUFFER_ALIGNMENT
FIRST, ONE = ctypes.c_size_t(0), ctypes.c_size_t(1)  # of signatures and tensors
DTYPES = {3: np.dtype(np.uint8), 9: np.dtype(np.int8)}  # by LiteRtElementType

Handle = ctypes.c_void_p
Tensor = npt.NDArray[Any]


class Option(ctypes.Structure):
    """LiteRtEnvOption."""

    _fields_ = (("tag", ctypes.c_int64), ("kind", ctypes.c_int64), ("value", ctypes.c_int64))


class TensorType(ctypes.Structure):
    """LiteRtRankedTensorType; the two small numbers of its layout share four bytes."""

    _fields_ = (
        ("element", ctypes.c_int32),
        ("rank", ctypes.c_uint32, 7),
        ("has_strides", ctypes.c_uint32, 1),
        ("dimensions", ctypes.c_int32 * 8),
        ("strides", ctypes.c_uint32 * 8),
    )


class Quantisation(ctypes.Structure):
    """LiteRtQuantizationPerTensor: real = scale × (quantised − zero point)."""

    _fields_ = (("scale", ctypes.c_float), ("zero_point", ctypes.c_int64))


class Model:
    """Fill `input`, `run`, and read `output`, in one thread at a time. It may be made before a fork, and is meant to
    live as long as the process: its memory is never given back."""

    def __init__(self, content: bytes) -> None:
        """Raises `RuntimeError` for what is no model, or one whose tensors are not quantised to eight bits."""
        self._content = content  # which LiteRT reads in place
        options = (Option * 2)(Option(AUTO_REGISTER_ACCELERATORS, INT, CPU), Option(MIN_LOGGER_SEVERITY, INT, ERRORS))
        environment = made("LiteRtCreateEnvironment", 2, options)
        model = made("LiteRtCreateModelFromBuffer", environment, content, ctypes.c_size_t(len(content)))
        compilation = made("LiteRtCreateOptions")
        done("LiteRtSetOptionsHardwareAccelerators", compilation, CPU)  # in one thread: more would not survive a fork
        with without_information():
            compiled = made("LiteRtCreateCompiledModel", environment, model, compilation)
        signature = made("LiteRtGetModelSignature", model, FIRST)
        self.input, _, input_buffer = host_tensor(made("LiteRtGetSignatureInputTensorByIndex", signature, FIRST))
        self.output, quantisation, output_buffer = host_tensor(
            made("LiteRtGetSignatureOutputTensorByIndex", signature, FIRST)
        )
        self.output_scale, self.output_zero_point = quantisation.scale, quantisation.zero_point
        self._arguments = (compiled, FIRST, ONE, (Handle * 1)(input_buffer), ONE, (Handle * 1)(output_buffer))

    def run(self) -> None:
        done("LiteRtRunCompiledModel", *self._arguments)


def host_tensor(tensor: Handle) -> tuple[Tensor, Quantisation, Handle]:
    """An array that LiteRT reads or writes in place, how its numbers are meant, and its handle."""
    kind, quantisation = TensorType(), Quantisation()
    done("LiteRtGetRankedTensorType", tensor, ctypes.byref(kind))
    done("LiteRtGetPerTensorQuantization", tensor, ctypes.byref(quantisation))
    if kind.element not in DTYPES:
        raise RuntimeError("The model takes or gives other numbers than eight-bit ones: convert_tflite.py makes it.")
    array = aligned(tuple(kind.dimensions[: kind.rank]), DTYPES[kind.element])
    memory = (Handle(array.ctypes.data), ctypes.c_size_t(array.nbytes), None)
    return array, quantisation, made("LiteRtCreateTensorBufferFromHostMemory", ctypes.byref(kind), *memory)


def aligned(shape: tuple[int, ...], dtype: np.dtype[Any]) -> Tensor:
    """Zeros that begin at a multiple of `ALIGNMENT`, as LiteRT wants them."""
    size = int(np.prod(shape)) * dtype.itemsize
    memory = np.zeros(size + ALIGNMENT, np.uint8)
    begin = -memory.ctypes.data % ALIGNMENT
    return memory[begin : begin + size].view(dtype).reshape(shape)


@contextmanager
def without_information() -> Iterator[None]:
    """Of what is written to stderr meanwhile, all goes on but mere information. TFLite, within LiteRT, tells so of each
    delegate, in lines that are no JSON, and the library exports nothing that would have it tell less."""
    with tempfile.TemporaryFile() as written:
        stderr = os.dup(2)
        os.dup2(written.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(stderr, 2)
            os.close(stderr)
            written.seek(0)
            os.write(2, b"".join(line for line in written if not line.startswith(b"INFO: ")))


def made(function: str, *arguments: Any) -> Handle:
    """What a function puts where its last argument points."""
    handle = Handle()
    done(function, *arguments, ctypes.byref(handle))
    return handle


def done(function: str, *arguments: Any) -> None:
    status = getattr(LIBRARY, function)(*arguments)
    if status:
        raise RuntimeError(f"LiteRT cannot run the model ({function} gave status {status}).")


def library_path() -> Path:
    """The library's, in LiteRT's package, which is not imported."""
    package = find_spec("ai_edge_litert")
    if package is None or not package.submodule_search_locations:
        raise ImportError("ai-edge-litert is not installed: see function/requirements.txt")
    return Path(package.submodule_search_locations[0], f"libLiteRt.{'dylib' if sys.platform == 'darwin' else 'so'}")


LIBRARY = ctypes.CDLL(str(library_path()))
