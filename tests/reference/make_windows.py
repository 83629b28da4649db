"""Makes windows.safetensors for tests/engine/reference.rs: convolutions and transposed convolutions of many shapes and all their
gradients, computed by PyTorch in float64.

Each case has its layer as wgvae writes it, the size of its images (height, width, channels), and tensors in PyTorch's order:
x, weight, bias and d_y go in; y, d_x, d_weight and d_bias come out.

    pip install torch numpy safetensors
    python make_windows.py           # writes windows.safetensors beside this file
"""

import json
import pathlib
import random

import numpy as np
import torch
from safetensors.numpy import save_file
from torch import nn

torch.set_default_dtype(torch.float64)
WIDTHS, CHANNELS, STRIDES, KERNELS = [1, 5, 7, 28, 41, 47], [1, 3, 5, 8, 32], [1, 2, 3], [1, 2, 3, 4, 5]
# Numbers of the largest tensor of a case, so that the file stays small.
LARGEST = 1800


def shapes(count):
    """Every width, channel, stride and kernel, even ones too, with random others."""
    draw = random.Random(7)
    found = []
    while len(found) < count:
        i = len(found)
        # Neighbours are a convolution and a transposed one.
        pair = i // 2
        height, width = WIDTHS[pair % 6], draw.choice(WIDTHS)
        inputs, outputs = CHANNELS[pair % 5], draw.choice([1, 3, 4, 8, 13])
        stride, kernel = STRIDES[(pair + pair // 6) % 3], (KERNELS[(pair + pair // 5) % 5], draw.choice(KERNELS))
        padding = draw.randrange(0, max(kernel) // 2 + 1)
        images = draw.choice([1, 2, 3])
        fits = min(height + 2 * padding - kernel[0], width + 2 * padding - kernel[1]) >= 0
        if i % 2 and fits:
            # Of a transposed convolution these are the positions.
            sides = [(n - 1) * stride - 2 * padding + k for n, k in zip((height, width), kernel)]
            fits = min(sides) > 0 and images * sides[0] * sides[1] * outputs <= LARGEST
        taps = inputs * outputs * kernel[0] * kernel[1]
        if fits and images * height * width * max(inputs, outputs) <= LARGEST and taps <= LARGEST:
            found.append((i % 2 == 1, images, (height, width), inputs, outputs, stride, kernel, padding))
    return found


cases, out = [], {}
for number, (transposed, images, size, inputs, outputs, stride, kernel, padding) in enumerate(shapes(60)):
    torch.manual_seed(number)
    make = nn.ConvTranspose2d if transposed else nn.Conv2d
    layer = make(inputs, outputs, kernel, stride, padding)
    x = torch.randn(images, inputs, *size, requires_grad=True)
    y = layer(x)
    d_y = torch.randn_like(y)
    y.backward(d_y)
    name = f"{'conv-t' if transposed else 'conv'} {outputs} k{kernel[0]}x{kernel[1]} s{stride} p{padding}"
    cases.append({"layer": name + (" op0" if transposed else ""), "image": [*size, inputs], "images": images})
    tensors = dict(x=x, weight=layer.weight, bias=layer.bias, d_y=d_y, y=y)
    tensors |= dict(d_x=x.grad, d_weight=layer.weight.grad, d_bias=layer.bias.grad)
    out |= {f"{number}.{k}": v.detach().numpy().astype(np.float32).copy() for k, v in tensors.items()}
path = pathlib.Path(__file__).with_name("windows.safetensors")
save_file(out, path, metadata={"cases": json.dumps(cases)})
print(f"{path.name}: {len(cases)} cases, {path.stat().st_size} bytes")
