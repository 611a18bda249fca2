"""A CUDA device for machines without one: tensors that say that they lie there, and are computed with on the CPU.

It is as strict as the real one where code usually goes wrong: an operation on tensors of both devices fails, and
a tensor has to be brought to the CPU before NumPy gets it. It says nothing about speed, or about kernels that
round otherwise. Half precision is the CPU's.
"""

from contextlib import contextmanager

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_flatten, tree_map

CPU, GPU = torch.device("cpu"), torch.device("cuda", 0)

MOVES = ("_to_copy", "copy_")
INDEXING = ("index", "index_put", "index_put_", "_index_put_impl_")
"""Operations that take tensors of both devices: for indexing CUDA lets the indices lie on the CPU."""


class TensorOnGpu(torch.Tensor):
    """Stands for ``held``, a tensor on the CPU."""

    @staticmethod
    def __new__(cls, held):
        return torch.Tensor._make_wrapper_subclass(
            cls, held.shape, strides=held.stride(), storage_offset=held.storage_offset(), dtype=held.dtype,
            device=GPU, requires_grad=held.requires_grad,
        )  # fmt: skip

    def __init__(self, held):
        self.held = held

    __torch_function__ = torch._C._disabled_torch_function_impl

    @classmethod
    def __torch_dispatch__(cls, function, types, args=(), kwargs=None):
        return compute(function, args, kwargs or {})


class PretendGpu(TorchDispatchMode):
    """While it is entered, ``device="cuda"`` works."""

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        with self:  # in inference mode even what consists of other operations arrives whole
            result = function.decompose(*args, **(kwargs or {}))
        return compute(function, args, kwargs or {}) if result is NotImplemented else result


def compute(function, args, kwargs):
    """What an operation gives, on the device on which CUDA would give it."""
    name = function.overloadpacket.__name__
    tensors = [x for x in tree_flatten((args, kwargs))[0] if isinstance(x, torch.Tensor)]
    on_gpu = [x for x in tensors if isinstance(x, TensorOnGpu)]
    if on_gpu and name not in MOVES:
        others = [x for x in tensors if not isinstance(x, TensorOnGpu) and x.ndim > 0]
        if name in INDEXING and isinstance(args[0], TensorOnGpu):
            others = [x for x in others if any(x is value for value in args[2:3])]
        if others:
            raise RuntimeError(f"{name}: all tensors must be on the same device, but found cuda:0 and cpu")
    wish = kwargs.get("device")
    stays = isinstance(args[0], TensorOnGpu) if name == "copy_" else bool(on_gpu)
    goes_to_gpu = stays if wish is None else torch.device(wish).type == "cuda"
    held_args, held_kwargs = tree_map(as_held, (args, kwargs))
    result = function(*held_args, **held_kwargs)
    if not goes_to_gpu:
        return result
    known = {id(x.held): x for x in on_gpu}  # an operation in place gives back the tensor that it was given
    return tree_map(
        lambda x: known[id(x)] if id(x) in known else TensorOnGpu(x) if isinstance(x, torch.Tensor) else x, result
    )


def as_held(x):
    if isinstance(x, TensorOnGpu):
        return x.held
    return CPU if isinstance(x, torch.device) else x


@contextmanager
def pretend_gpu(monkeypatch):
    """A CUDA device to choose, for as long as this is entered. What is loaded there must not be used afterwards."""
    torch._C._ensureCUDADeviceGuardSet()
    monkeypatch.setattr(torch.cuda, "_lazy_init", lambda: None)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    monkeypatch.setattr(torch.cuda, "synchronize", lambda device=None: None)
    replaced = torch.__future__.get_overwrite_module_params_on_conversion()
    torch.__future__.set_overwrite_module_params_on_conversion(True)  # a parameter cannot become another class
    torch._C._set_only_lift_cpu_tensors(True)  # torch.tensor(..., device="cuda") is shown to the mode, too
    try:
        with PretendGpu():
            yield
    finally:
        torch._C._set_only_lift_cpu_tensors(False)
        torch.__future__.set_overwrite_module_params_on_conversion(replaced)
