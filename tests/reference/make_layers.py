"""Makes layers.safetensors for tests/engine/layers.rs: layers of sequences with all their gradients, computed by the modules of
torch.nn in float64. With a folder, it writes 40 cases of each layer into that: up to 300 times, 300 units and 20,000 tokens. The test
compares those too where WGVAE_LAYERS names the folder.

Each case has its sizes and options in the metadata. Parameters have the names and forms of torch.nn. `x` and what else comes in counts as
a parameter, so that its gradient is compared too. What comes out is NaN where it is not compared: behind the end of a row.

    pip install torch numpy safetensors
    python make_layers.py            # writes layers.safetensors beside this file
    python make_layers.py FOLDER     # about 400 MB
"""

import json
import pathlib
import sys

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.numpy import save_file
from torch import nn

torch.set_default_dtype(torch.float64)


class Case:
    """The sizes of a case, and the parameters that are drawn for it."""

    def __init__(self, kind, number, rng, large):
        self.kind, self.rng, self.parameters, self.options = kind, rng, {}, {}
        self.large = large
        # The first cases have the ends of the ranges.
        ends = dict(steps=[1, 300, 2, 300, 1], units=[1, 300, 300, 1, 300], rows=[1, 2, 9, 40, 5], vocabulary=[2, 20000, 2, 20000, 3])
        most = dict(steps=300, units=300, rows=40, vocabulary=20000) if large else dict(steps=7, units=9, rows=5, vocabulary=12)
        sizes = {}
        for name, end in ends.items():
            lowest = 2 if name == "vocabulary" else 1
            drawn = int(np.exp(rng.uniform(np.log(lowest), np.log(most[name] + 1))))
            sizes[name] = end[number] if large and number < len(end) else max(lowest, drawn)
        self.steps, self.units, self.rows, self.vocabulary = (sizes[name] for name in ends)
        self.channels = int(rng.integers(1, self.units + 1))
        # As many rows as a second's work has.
        each = self.steps * self.units * (self.units + self.channels)
        self.rows = max(1, min(self.rows, 100_000_000 // each, 600_000 // (self.steps * self.units)))

    def lengths(self):
        """(B): one long row among short ones, or any; at times a row has none."""
        short = self.rng.integers(0, max(2, self.steps // 10 + 1), self.rows)
        lengths = np.where(self.rng.uniform() < 0.6, short, self.rng.integers(0, self.steps + 1, self.rows))
        if self.rows > 2:
            lengths[0] = 0
        lengths[self.rng.integers(self.rows)] = self.steps
        return torch.tensor(lengths)

    def tokens(self, lengths):
        """(B, T): tokens, and -1 behind the end."""
        ids = torch.tensor(self.rng.integers(0, self.vocabulary, (self.rows, self.steps)))
        return torch.where(torch.arange(self.steps) < lengths[:, None], ids, -1)

    def draw(self, name, *shape):
        """A parameter of normal numbers, as the program holds them."""
        drawn = torch.tensor(self.rng.standard_normal(shape).astype(np.float32)).double().requires_grad_()
        self.parameters[name] = drawn
        return drawn

    def take(self, module, name="layer", scale=None):
        """A module's parameters, scaled so that what is small counts too."""
        scale = self.rng.uniform(0.5, 2.0) if scale is None else scale
        with torch.no_grad():
            for own, parameter in module.named_parameters():
                parameter.copy_((scale * parameter + (0.3 * torch.randn_like(parameter) if parameter.ndim == 1 else 0)).float().double())
                self.parameters[f"{name}.{own}"] = parameter
        return module

    def flip(self):
        return bool(self.rng.integers(2))


def recurrent(case):
    """States, as they are held behind the end of a row."""
    rows, steps, units, is_lstm = case.rows, case.steps, case.units, case.kind == "lstm"
    both, start = case.flip(), str(case.rng.choice(["", "state", "code", "code beside"]))
    lengths = case.lengths() if case.flip() else None
    case.options = dict(both=both, start=start)
    x = case.draw("x", rows * steps, case.channels)
    x = x.view(rows, steps, -1)
    h0 = c0 = torch.zeros(rows, units)
    if start:
        if start == "state":
            state = case.draw("start", rows, (1 + is_lstm) * units)
        else:
            z = case.draw("z", rows, 3)
            state = torch.tanh(case.take(nn.Linear(3, (1 + is_lstm) * units), "layer.start")(z))
        h0, c0 = state.chunk(2, 1) if is_lstm else (state, None)
        if start == "code beside":
            x = torch.cat([x, z[:, None].expand(-1, steps, -1)], 2)
    make = nn.LSTM if is_lstm else nn.GRU
    layer = case.take(make(x.shape[2], units, batch_first=True, bidirectional=both))
    first = [part.expand(1 + both, -1, -1).contiguous() for part in ([h0, c0] if is_lstm else [h0])]
    first = tuple(first) if is_lstm else first[0]
    if lengths is None:
        return layer(x, first)[0].reshape(rows * steps, -1), None
    packed = nn.utils.rnn.pack_padded_sequence(x, lengths.clamp(min=1), batch_first=True, enforce_sorted=False)
    out, last = layer(packed, first)
    out = nn.utils.rnn.pad_packed_sequence(out, batch_first=True, total_length=steps)[0]
    last = (last[0] if is_lstm else last)[0]
    last = torch.where(lengths[:, None] > 0, last, h0)
    held = torch.cat([last, h0], 1) if both else last
    there = torch.arange(steps) < lengths[:, None]
    return torch.where(there[:, :, None], out, held[:, None]).reshape(rows * steps, -1), case.tokens(lengths)


def heads_of(case):
    """A number of heads that divides the numbers of a time."""
    return int(case.rng.choice([n for n in (1, 2, 3, 4, 5, 8) if case.units % n == 0]))


def seen_of(case, causal, lengths):
    """(B, 1, T, T): which time looks at which. A row without times looks at its first, which is not compared."""
    times = torch.arange(case.steps)
    seen = torch.ones(case.rows, 1, case.steps, case.steps, dtype=torch.bool)
    if lengths is not None:
        seen &= (times < lengths.clamp(min=1)[:, None])[:, None, None, :]
    return seen & (times <= times[:, None]) if causal else seen


def attend(case):
    causal, heads, has_positions = case.flip(), heads_of(case), case.flip()
    has_code = causal and case.flip()
    lengths = None if causal else case.lengths()
    case.options = dict(heads=heads, positions=has_positions, code=has_code)
    channels = case.units
    h = case.draw("x", case.rows * case.steps, channels).view(case.rows, case.steps, channels)
    if has_positions:
        h = h + case.take(nn.Embedding(case.steps, channels), "layer.positions").weight
    if has_code:
        h = h + case.take(nn.Linear(3, channels), "layer.code")(case.draw("z", case.rows, 3))[:, None]
    norm = case.take(nn.LayerNorm(channels), "layer.norm", 1.0)
    layer = case.take(nn.MultiheadAttention(channels, heads, batch_first=True))
    y = norm(h)
    mask = ~seen_of(case, causal, lengths).expand(-1, heads, -1, -1).reshape(-1, case.steps, case.steps)
    out = h + layer(y, y, y, attn_mask=mask, need_weights=False)[0]
    ids = None
    if lengths is not None:
        ids = case.tokens(lengths)
        out = torch.where((ids >= 0)[:, :, None], out, torch.nan)
    return out.reshape(case.rows * case.steps, channels), ids


def attention(case):
    """The kernel alone, which also has lengths where it is causal."""
    causal, heads, lengths = case.flip(), heads_of(case), case.lengths() if case.flip() else None
    case.options = dict(heads=heads, causal=causal)
    qkv = case.draw("qkv", case.rows * case.steps, 3 * case.units)
    qkv = qkv.view(case.rows, case.steps, 3, heads, -1)
    q, k, v = (qkv[:, :, part].transpose(1, 2) for part in range(3))
    y = F.scaled_dot_product_attention(q, k, v, attn_mask=seen_of(case, causal, lengths)).transpose(1, 2)
    y = y.reshape(case.rows, case.steps, case.units)
    ids = None
    if lengths is not None:
        ids = case.tokens(lengths)
        y = y * (ids >= 0)[:, :, None]
    return y.reshape(case.rows * case.steps, case.units), ids


def conv1d(case):
    causal, size = case.flip(), int(case.rng.integers(1, 8))
    dilation = int(np.exp(case.rng.uniform(0, np.log(40))))
    has_code, lengths = causal and case.flip(), None if causal else case.lengths()
    case.options = dict(size=size, dilation=dilation, code=has_code)
    x = case.draw("x", case.rows * case.steps, case.channels).view(case.rows, case.steps, -1)
    ids = None
    if lengths is not None:
        ids = case.tokens(lengths)
        x = x * (ids >= 0)[:, :, None]
    layer = case.take(nn.Conv1d(case.channels, case.units, size, dilation=dilation))
    left = (size - 1 if causal else (size - 1) // 2) * dilation
    y = layer(F.pad(x.transpose(1, 2), (left, (size - 1) * dilation - left))).transpose(1, 2)
    if has_code:
        y = y + case.take(nn.Linear(3, case.units), "layer.code")(case.draw("z", case.rows, 3))[:, None]
    return y.reshape(case.rows * case.steps, -1), ids


def table_width(case):
    """Numbers of a token: fewer in a large vocabulary, so that files stay small."""
    case.units = max(1, min(case.units, (300_000 if case.large else 100) // case.vocabulary))
    return case.units


def embed(case):
    shift = int(case.flip())
    case.options = dict(shift=shift)
    ids = case.tokens(case.lengths())
    layer = case.take(nn.Embedding(case.vocabulary, table_width(case)))
    seen = torch.cat([torch.full((case.rows, shift), -1), ids], 1)[:, : case.steps]
    y = layer(seen.clamp(min=0)) * (seen >= 0)[:, :, None]
    return y.reshape(case.rows * case.steps, -1), ids


def cross_entropy(case):
    # All logits together stay below the 128 MiB that an adapter binds.
    case.rows = max(1, min(case.rows, 20_000_000 // (case.steps * case.vocabulary)))
    ids = case.tokens(case.lengths())
    x = case.draw("x", case.rows * case.steps, table_width(case))
    logits = case.take(nn.Linear(case.units, case.vocabulary))(x)
    return F.cross_entropy(logits, ids.flatten(), ignore_index=-1, reduction="none")[:, None], ids


def ends(case):
    """`last` of an attention or a convolution, and `mean`; zeros of a row without times."""
    lengths = case.lengths()
    x = case.draw("x", case.rows * case.steps, case.units).view(case.rows, case.steps, -1)
    ids = case.tokens(lengths)
    if case.kind == "last":
        return x[torch.arange(case.rows), lengths - 1] * (lengths > 0)[:, None], ids
    return (x * (ids >= 0)[:, :, None]).sum(1) / lengths.clamp(min=1)[:, None], ids


KINDS = {
    "gru": recurrent, "lstm": recurrent, "attend": attend, "attention": attention, "conv1d": conv1d, "embed": embed,
    "cross-entropy": cross_entropy, "last": ends, "mean": ends,
}


def made(kind, number, large):
    seed = 1000 * list(KINDS).index(kind) + number
    torch.manual_seed(seed)
    case = Case(kind, number, np.random.default_rng([seed, large]), large)
    y, ids = KINDS[kind](case)
    d_y = torch.randn_like(y).float().double()
    compared = ~torch.isnan(y)
    torch.where(compared, y * torch.where(compared, d_y, 0), 0).sum().backward()
    d_y = torch.where(compared, d_y, 0)
    tensors = {"y": y.detach().numpy(), "d_y": d_y.numpy().astype(np.float32)}
    for name, parameter in case.parameters.items():
        # What has no part in the result has no gradient.
        gradient = torch.zeros_like(parameter) if parameter.grad is None else parameter.grad
        tensors |= {f"weights.{name}": parameter.detach().numpy().astype(np.float32), f"gradients.{name}": gradient.numpy()}
    if ids is not None:
        tensors["ids"] = ids.numpy().astype(np.float32)
    sizes = dict(rows=case.rows, steps=case.steps, channels=case.channels, units=case.units, vocabulary=case.vocabulary)
    return dict(kind=kind, **sizes, options=case.options, ids=ids is not None), tensors


def write(path, numbers, large):
    cases, out = [], {}
    for kind, number in numbers:
        described, tensors = made(kind, number, large)
        out |= {f"{len(cases)}.{name}": np.ascontiguousarray(values) for name, values in tensors.items()}
        cases.append(described)
    save_file(out, path, metadata={"cases": json.dumps(cases)})


if folder := sys.argv[1:]:
    folder = pathlib.Path(folder[0])
    folder.mkdir(exist_ok=True)
    for kind in KINDS:
        for number in range(40):
            write(folder / f"{kind}-{number:02}.safetensors", [(kind, number)], True)
else:
    path = pathlib.Path(__file__).with_name("layers.safetensors")
    write(path, [(kind, number) for kind in KINDS for number in range(3)], False)
    print(f"{path.name}: {path.stat().st_size} bytes")
