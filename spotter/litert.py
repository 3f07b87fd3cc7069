"""Runs a .tflite network with LiteRT (`ai-edge-litert`): one thread, XNNPACK, nothing on stderr."""

from __future__ import annotations

from typing import Final, Literal

from spotter.arrays import Floats
from spotter.errors import BadInputError, ModelError
from spotter.stderr import without_chatter
from spotter.tflite import read_shapes

_CHATTER: Final = b"INFO: Created TensorFlow Lite"  # about XNNPACK; no switch turns it off (2.3)


def problem() -> str | None:
    """Why LiteRT cannot be used here; None where it can."""
    try:
        import ai_edge_litert.interpreter  # noqa: F401
    except (ImportError, OSError) as error:  # OSError: the wheel is there, but its library does not load
        return str(error)
    return None


def choose(backend: str) -> Literal["litert", "numpy"]:
    """Return what computes networks: what is asked for, or, with "auto", LiteRT where it can be loaded."""
    if backend == "numpy":
        return "numpy"
    if backend not in ("auto", "litert"):
        raise BadInputError(f"there is no backend {backend!r}; give auto, litert or numpy")
    why = problem()
    if why is None:
        return "litert"
    if backend == "auto":
        return "numpy"
    raise ModelError(f"LiteRT cannot be loaded ({why}); install ai-edge-litert, or use the backend numpy")


class LitertNetwork:
    """A network in an interpreter of its own.

    Parameters
    ----------
    data : bytes
        The .tflite file, kept and read in place.
    dynamic : int
        The size that every dynamic dimension of the inputs gets, once.

    Raises
    ------
    ModelError
        LiteRT cannot be imported, or refuses the network.
    """

    def __init__(self, data: bytes, dynamic: int = 1) -> None:
        self.shapes = read_shapes(data)
        try:
            from ai_edge_litert.interpreter import Interpreter

            with without_chatter(lambda line: line.startswith(_CHATTER)):
                interpreter = Interpreter(model_content=data, num_threads=1)
                self._inputs = [details["index"] for details in interpreter.get_input_details()]
                self._outputs = [details["index"] for details in interpreter.get_output_details()]
                for index, shape in zip(self._inputs, self.shapes.inputs, strict=True):
                    if -1 in shape:
                        interpreter.resize_tensor_input(index, [dynamic if n < 0 else n for n in shape])
                interpreter.allocate_tensors()
        except (ImportError, OSError) as error:
            raise ModelError(f"LiteRT cannot be loaded ({error}); install ai-edge-litert, or use numpy") from error
        except (ValueError, RuntimeError) as error:
            why = " ".join(str(error).split())
            raise ModelError(f"LiteRT refuses the network ({why}); export the model again") from error
        self._interpreter = interpreter

    def run(self, *inputs: Floats) -> tuple[Floats, ...]:
        """Compute the outputs, in the order of the file."""
        interpreter = self._interpreter
        try:
            # Copying in and out costs a microsecond each; views of the tensors cost more, and must not outlive a call.
            for index, value in zip(self._inputs, inputs, strict=True):
                interpreter.set_tensor(index, value)
        except ValueError as error:
            raise BadInputError(f"{error}; give float32 arrays of shapes {self.shapes.inputs}") from error
        interpreter.invoke()
        return tuple([interpreter.get_tensor(index) for index in self._outputs])  # a list: its loop costs less
