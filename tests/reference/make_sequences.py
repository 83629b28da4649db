"""Makes the fixtures of tests/engine/reference.rs with texts and series: models of torch.nn's recurrent layers, attention and
convolutions, in float64.

The parameters have the names and the shapes that `state_dict` gives them, so these fixtures also show that a model's file loads into
such modules as it is. They hold what those of make.py hold; `tokens` in the metadata is the number of times and that of the vocabulary,
`series` that of times and of channels, `gaps` says that values are missing. A text has a token below 0 at each time behind its end.

    pip install torch numpy safetensors
    python make_sequences.py         # writes sequences-*.safetensors beside this file
"""

import pathlib

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.numpy import save_file
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

torch.set_default_dtype(torch.float64)
STEPS = 10
MISSING = np.finfo(np.float32).max
ACTIVATION = {"tanh": nn.Tanh, "silu": nn.SiLU, "relu": nn.ReLU}

CASES = {
    # One layer each.
    "sequences-gru": dict(
        tokens=(6, 9), batch=5, latent=3, likelihood="tokens", encoder=["embed 5", "gru 6", "last"], decoder=["embed 4", "gru 7"],
    ),
    # Both directions on top of each other, and other layers behind them.
    "sequences-lstm": dict(
        tokens=(7, 6), batch=4, latent=2, likelihood="tokens", activation="tanh",
        encoder=["embed 4", "lstm 5 both", "lstm 4 both", "last", "dense 6"], decoder=["embed 3", "lstm 5", "gru 4", "dense 6 silu"],
    ),
    # The bias of all keys shifts all scores of a query alike, so its gradient is rounding, and Adam would divide by its size.
    "sequences-attend": dict(
        tokens=(8, 7), batch=5, latent=3, likelihood="tokens", activation="silu", optimizer="sgd",
        encoder=["embed 6", "conv1d 8 k3 d2 norm2", "attend 2", "attend 4", "mean"],
        decoder=["embed 6", "conv1d 6 k2 d3", "attend 3", "attend 1", "lstm 5"],
    ),
    # Values are missing here and there, and behind the end of a series.
    "sequences-series": dict(
        series=(6, 3), batch=5, latent=3, likelihood="gaussian-learned", activation="relu",
        encoder=["gru 5 both", "lstm 4 both", "last"], decoder=["dense 4 tanh", "gru 6"],
    ),
}


def causal(steps):
    return torch.triu(torch.ones(steps, steps, dtype=torch.bool), 1)


class Recurrent(nn.Module):
    """A recurrent layer; a decoder's starts from what `start` makes of the code."""

    def forward(self, h, lengths, z):
        if z is not None:
            if self.input_size > h.shape[2]:
                h = torch.cat([h, z[:, None].expand(-1, h.shape[1], -1)], 2)
            state = torch.tanh(self.start(z))[None]
            return self.layer(h, state.chunk(2, 2) if self.mode == "LSTM" else state)
        if lengths is None:
            return self.layer(h, None)
        packed = pack_padded_sequence(h, lengths, batch_first=True, enforce_sorted=False)
        return pad_packed_sequence(self.layer(packed, None), batch_first=True, total_length=h.shape[1])[0]


class Gru(Recurrent, nn.GRU):
    def layer(self, h, state):
        return nn.GRU.forward(self, h, state)[0]


class Lstm(Recurrent, nn.LSTM):
    def layer(self, h, state):
        return nn.LSTM.forward(self, h, state)[0]


class Attend(nn.MultiheadAttention):
    def forward(self, h, lengths, z):
        if hasattr(self, "positions"):
            h = h + self.positions.weight
        if hasattr(self, "code"):
            h = h + self.code(z)[:, None]
        steps = h.shape[1]
        y = self.norm(h)
        absent = None if lengths is None else torch.arange(steps) >= lengths[:, None]
        mask = causal(steps) if lengths is None else None
        return h + super().forward(y, y, y, key_padding_mask=absent, attn_mask=mask, need_weights=False)[0]


class Convolution(nn.Conv1d):
    def forward(self, h, lengths, z):
        far = (self.kernel_size[0] - 1) * self.dilation[0]
        left = far
        if lengths is not None:
            h = h * (torch.arange(h.shape[1]) < lengths[:, None])[:, :, None]
            left = far // 2
        h = super().forward(F.pad(h.transpose(1, 2), (left, far - left))).transpose(1, 2)
        return h + self.code(z)[:, None] if hasattr(self, "code") else h


class Norm(nn.GroupNorm):
    def forward(self, h):
        return super().forward(h.flatten(0, 1)).view_as(h)


class Last(nn.Module):
    def __init__(self, both):
        super().__init__()
        self.both = both

    def forward(self, h, lengths, z):
        end = h[:, -1] if lengths is None else h[torch.arange(len(h)), lengths - 1]
        half = h.shape[2] // 2
        return torch.cat([end[:, :half], h[:, 0, half:]], 1) if self.both else end


class Mean(nn.Module):
    def forward(self, h, lengths, z):
        return (h * (torch.arange(h.shape[1]) < lengths[:, None])[:, :, None]).sum(1) / lengths[:, None]


def stacked(c, layers, width, steps, is_decoder):
    """The modules of layers as they are written, and how many numbers come out."""
    is_text, code = "tokens" in c, c["latent"]
    modules, has_positions, has_seen, both = [], False, not (is_decoder and is_text), False
    for layer in layers:
        kind, *words = layer.split()
        size = int(words[0]) if words else 0
        if kind == "embed":
            modules.append(nn.Embedding(c["tokens"][1], size))
        elif kind in ["gru", "lstm"]:
            both = "both" in words
            module = (Gru if kind == "gru" else Lstm)(width + (0 if has_seen else code), size, batch_first=True, bidirectional=both)
            if is_decoder:
                module.start = nn.Linear(code, size * (1 + (kind == "lstm")))
            modules.append(module)
            size *= 1 + both
        elif kind == "attend":
            module = Attend(width, size, batch_first=True)
            module.norm, size = nn.LayerNorm(width), width
            if not has_positions:
                module.positions = nn.Embedding(steps, width)
            if not has_seen:
                module.code = nn.Linear(code, width)
            has_positions = True
            modules.append(module)
        elif kind == "conv1d":
            module = Convolution(width, size, int(words[1][1:]), dilation=int(words[2][1:]))
            if not has_seen:
                module.code = nn.Linear(code, size)
            modules.append(module)
        elif kind == "dense":
            modules.append(nn.Linear(width, size))
        else:
            modules.append(Last(both) if kind == "last" else Mean())
            size = width
        has_seen |= kind in ["gru", "lstm", "attend", "conv1d"]
        if kind in ["dense", "conv1d"]:
            if words[-1].startswith("norm"):
                modules.append(Norm(int(words[-1][4:]), size))
            modules.append(ACTIVATION[words[-1] if words[-1] in ACTIVATION else c["activation"]]())
        width = size
    return modules, width


def run(modules, h, lengths, z):
    for module in modules:
        h = module(h, lengths, z) if isinstance(module, Recurrent | Attend | Convolution | Last | Mean) else module(h)
    return h


class Times(nn.Module):
    """Numbers of each time, which are added to the code."""

    def __init__(self, numbers):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(numbers))


class Model(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.c = c
        (self.steps, channels), latent = c.get("tokens", c.get("series")), c["latent"]
        # Marks of which are missing stand beside the values of a series.
        modules, width = stacked(c, c["encoder"], 2 * channels, self.steps, False)
        self.encoder = nn.Sequential(*modules)
        self.mu, self.logvar = nn.Linear(width, latent), nn.Linear(width, latent)
        modules, width = stacked(c, c["decoder"], latent, self.steps, True)
        self.decoder = nn.Sequential(*modules, nn.Linear(width, channels))
        if "series" in c:
            self.decoder.times = Times(self.steps * latent)
            self.log_sigma = nn.Parameter(torch.zeros(1))

    def forward(self, x, noise):
        if "tokens" in self.c:
            lengths = (x >= 0).sum(1)
            embedded = lambda module, ids: module(ids.clamp(min=0)) * (ids >= 0)[:, :, None]
            h = run(self.encoder[1:], embedded(self.encoder[0], x), lengths, None)
        else:
            absent = torch.isnan(x)
            h = run(self.encoder, torch.cat([torch.nan_to_num(x, nan=0.0), absent.to(x)], 2), None, None)
        mu, logvar = self.mu(h), self.logvar(h)
        z = mu + torch.exp(logvar / 2) * noise
        kl = 0.5 * (mu**2 + logvar.exp() - 1 - logvar).sum()
        if "tokens" in self.c:
            before = torch.cat([torch.full((len(x), 1), -1), x[:, :-1]], 1)
            logits = run(self.decoder[1:], embedded(self.decoder[0], before), None, z)
            recon = F.cross_entropy(logits.flatten(0, 1), x.flatten(), ignore_index=-1, reduction="sum")
        else:
            h = z[:, None] + self.decoder.times.weight.view(self.steps, -1)
            output = run([module for name, module in self.decoder.named_children() if name != "times"], h, None, z)
            there = ~absent
            recon = -torch.distributions.Normal(output[there], self.log_sigma.exp()).log_prob(x[there]).sum()
        return (recon + kl) / len(x)


def toml(c):
    listed = lambda layers: "[" + ", ".join(f'"{layer}"' for layer in layers) + "]"
    model = [f"encoder = {listed(c['encoder'])}", f"decoder = {listed(c['decoder'])}", f"latent = {c['latent']}"]
    model += [f'activation = "{c.get("activation", "relu")}"', f'likelihood = "{c["likelihood"]}"']
    train = [f"batch = {c['batch']}", f'optimizer = "{c.get("optimizer", "adam")}"', f"lr = {c.get('lr', 1e-2)}"]
    return "\n".join(["[model]", *model, "[train]", *train])


def rows(c, rng):
    """Texts whose last token is the end, 0; or series with gaps. One of a batch is as long as can be, the others are of any length."""
    steps, width = c.get("tokens", c.get("series"))
    lengths = rng.integers(1, steps + 1, (STEPS, c["batch"], 1))
    lengths[:, 0] = steps
    times = np.arange(steps)
    if "tokens" in c:
        ids = rng.integers(1, width, (STEPS, c["batch"], steps))
        return np.where(times < lengths - 1, ids, np.where(times == lengths - 1, 0, -1))
    x = rng.standard_normal((STEPS, c["batch"], steps, width)).astype(np.float32)
    x[(times >= lengths) | (rng.uniform(size=x.shape[:3]) < 0.1)] = np.nan
    x[rng.uniform(size=x.shape) < 0.15] = np.nan
    return x


def arrays(prefix, named):
    return {f"{prefix}.{k}": v.detach().numpy().astype(np.float32) for k, v in named}


for number, (name, c) in enumerate(CASES.items()):
    torch.manual_seed(number)
    rng = np.random.default_rng(number)
    model = Model(c)
    with torch.no_grad():
        for key, p in model.named_parameters():
            # Biases that start at 0, and scales that start at 1, would hide a wrong one.
            if p.ndim == 1 and key != "log_sigma":
                p.add_(0.3 * torch.randn_like(p))
            # As the program holds them.
            p.copy_(p.float().double())
    out = arrays("weights", model.named_parameters())
    x = rows(c, rng)
    noise = rng.standard_normal((STEPS, c["batch"], c["latent"])).astype(np.float32)
    make = torch.optim.SGD if c.get("optimizer") == "sgd" else torch.optim.Adam
    rule = make(model.parameters(), lr=c.get("lr", 1e-2))
    losses = []
    for t in range(STEPS):
        rule.zero_grad()
        batch = torch.tensor(x[t])
        loss = model(batch if "tokens" in c else batch.double(), torch.tensor(noise[t]).double())
        loss.backward()
        losses.append(loss.item())
        if t == 0:
            out |= arrays("gradients", ((k, p.grad) for k, p in model.named_parameters()))
        rule.step()
    out |= arrays("final", model.named_parameters())
    held = np.where(np.isnan(x), MISSING, x).reshape(STEPS * c["batch"], -1).astype(np.float32)
    out |= {"x": held, "noise": noise, "losses": np.asarray(losses, np.float32)}
    metadata = {"config": toml(c)} | ({"gaps": "true"} if "series" in c else {})
    metadata |= {key: ",".join(map(str, c[key])) for key in ["tokens", "series"] if key in c}
    path = pathlib.Path(__file__).with_name(f"{name}.safetensors")
    save_file({k: np.ascontiguousarray(v) for k, v in out.items()}, path, metadata=metadata)
    print(f"{path.name}: {losses[0]:.4f} -> {losses[-1]:.4f}, {path.stat().st_size} bytes")
