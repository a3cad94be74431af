"""What the scripts of this folder share: seeded inputs, and files of cases that the op table reads.

A case is the inputs of one op, its attributes, its result and, for a fixed gradient of the result,
the gradients of the inputs. Results are computed in float64 and stored as float32. Inputs are
numbers that bfloat16 has, so one file serves float32, bfloat16 and float16.
"""
import json
import os

import torch
from safetensors.torch import save_file

FOLDER = os.path.join(os.path.dirname(__file__), "..", "..", "..", "Tests", "Goldens", "numerics")


def random(*shape, seed=1, scale=1.0):
    """Normal numbers that bfloat16 has."""
    generator = torch.Generator().manual_seed(seed + sum(shape) * 7919)
    return (torch.randn(shape, generator=generator) * scale).bfloat16().float()


class Cases:
    """Collects the cases of one file."""

    def __init__(self, name):
        self.name, self.rows, self.tensors = name, [], {}

    def add(self, op, inputs, function, attributes=None, constants=()):
        """
        op: name in the op table; inputs: name -> tensor; function: called with the tensors by
        name (float64, or as they are if they are whole numbers); attributes: JSON values for the
        op; constants: names of inputs without a gradient.
        """
        case = f"{op}.{len(self.rows)}"
        exact = {}
        for name, x in inputs.items():
            self.tensors[f"{case}/{name}"] = x.contiguous().clone()
            exact[name] = x.double() if x.is_floating_point() else x
            if x.is_floating_point() and name not in constants:
                exact[name].requires_grad_()
        y = function(**exact)
        self.tensors[f"{case}/out"] = y.detach().float().contiguous().clone()
        wanted = [name for name in inputs if exact[name].requires_grad]
        if wanted and y.requires_grad:
            dy = random(*y.shape, seed=99)
            self.tensors[f"{case}/dout"] = dy
            found = torch.autograd.grad(y, [exact[n] for n in wanted], dy.double())
            for name, gradient in zip(wanted, found):
                self.tensors[f"{case}/d.{name}"] = gradient.float().contiguous()
        self.rows.append(dict(case=case, op=op, inputs=list(inputs), attributes=attributes or {}))

    def write(self):
        os.makedirs(FOLDER, exist_ok=True)
        metadata = dict(cases=json.dumps(self.rows), torch=torch.__version__)
        save_file(self.tensors, os.path.join(FOLDER, f"{self.name}.safetensors"), metadata)
