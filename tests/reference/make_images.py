"""Makes the fixtures of tests/engine/reference.rs with images: small convolutional models in plain torch modules, in float64.

The parameters have the names and the shapes that `state_dict` gives them, so these fixtures also show that a model's file
loads into such modules as it is. They hold what those of make.py hold, and the classes of the rows where the model is told;
`image` in the metadata is height, width, channels, `classes` their number, `gaps` says that pixels are missing.

    pip install torch numpy safetensors
    python make_images.py            # writes images-*.safetensors beside this file
"""

import pathlib

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.numpy import save_file
from torch import nn

torch.set_default_dtype(torch.float64)
STEPS = 10
MISSING = np.finfo(np.float32).max
ACTIVATION = {"relu": nn.ReLU, "tanh": nn.Tanh, "silu": nn.SiLU, "gelu": nn.GELU}

CASES = {
    # Two convolutions and back.
    "images-conv": dict(
        image=(8, 8, 1), batch=6, latent=3, activation="relu", likelihood="bernoulli",
        encoder=["conv 4 k3 s2", "conv 6 k3 s2"],
        encoder_modules=lambda: [nn.Conv2d(1, 4, 3, 2, 1), nn.Conv2d(4, 6, 3, 2, 1), nn.Flatten()],
        flat=24,
        decoder_modules=lambda: [
            nn.Linear(3, 24), nn.Unflatten(1, (6, 2, 2)), nn.ConvTranspose2d(6, 4, 3, 2, 1, 1),
            nn.ConvTranspose2d(4, 1, 3, 2, 1, 1)],
    ),
    # Colours, dense layers between, a decoder of its own, even kernels, an activation for one layer.
    "images-colour": dict(
        image=(8, 6, 3), batch=5, latent=4, activation="silu", likelihood="mse", optimizer="adam",
        encoder=["conv 5 k4 s2", "dense 9"],
        encoder_modules=lambda: [nn.Conv2d(3, 5, 4, 2, 1), nn.Flatten(), nn.Linear(60, 9)],
        flat=9,
        decoder=["dense 7", "dense 4x3x4", "conv-t 5 k3 s1 tanh"],
        decoder_modules=lambda: [
            nn.Linear(4, 7), nn.Linear(7, 48), nn.Unflatten(1, (4, 4, 3)), (nn.ConvTranspose2d(4, 5, 3, 1, 1), "tanh"),
            nn.ConvTranspose2d(5, 3, 4, 2, 1)],
    ),
    # A stride of 3, sides that are no multiples of it, different output paddings down and across.
    "images-odd": dict(
        image=(9, 10, 2), batch=4, latent=2, activation="tanh", likelihood="gaussian-learned", optimizer="sgd", lr=1e-3,
        encoder=["conv 3 k5x4 s3 p2"],
        encoder_modules=lambda: [nn.Conv2d(2, 3, (5, 4), 3, 2), nn.Flatten()],
        flat=36,
        decoder_modules=lambda: [
            nn.Linear(2, 36), nn.Unflatten(1, (3, 3, 4)), nn.ConvTranspose2d(3, 2, (5, 4), 3, 2, (2, 1))],
    ),
    # The decoder uses the encoder's weights.
    "images-tied": dict(
        image=(6, 6, 2), batch=7, latent=3, activation="gelu", likelihood="bernoulli", tied=True,
        encoder=["conv 4 k3 s2", "dense 8"],
        encoder_modules=lambda: [nn.Conv2d(2, 4, 3, 2, 1), nn.Flatten(), nn.Linear(36, 8)],
        flat=8,
        decoder_modules=lambda: [
            nn.Linear(3, 8), nn.Linear(8, 36), nn.Unflatten(1, (4, 3, 3)), nn.ConvTranspose2d(4, 2, 3, 2, 1, 1)],
    ),
    # Norms of groups and of all channels, on maps and on rows; averages of squares of pixels, and the nearest pixels.
    "images-norm": dict(
        image=(8, 8, 1), batch=5, latent=3, activation="relu", likelihood="bernoulli",
        encoder=["conv 6 k3 norm3", "pool 2", "conv 8 k3 norm silu", "pool 2", "dense 10 norm"],
        encoder_modules=lambda: [
            nn.Conv2d(1, 6, 3, 1, 1), nn.GroupNorm(3, 6), nn.AvgPool2d(2), nn.Conv2d(6, 8, 3, 1, 1),
            (nn.GroupNorm(1, 8), "silu"), nn.AvgPool2d(2), nn.Flatten(), nn.Linear(32, 10), nn.LayerNorm(10)],
        flat=10,
        decoder=["dense 7 norm", "dense 2x2x6 norm2 tanh", "up 2", "conv 4 k3", "up 2 norm4 silu"],
        decoder_modules=lambda: [
            nn.Linear(3, 7), nn.LayerNorm(7), nn.Linear(7, 24), nn.Unflatten(1, (6, 2, 2)), (nn.GroupNorm(2, 6), "tanh"),
            nn.Upsample(scale_factor=2), nn.Conv2d(6, 4, 3, 1, 1), nn.Upsample(scale_factor=2),
            (nn.GroupNorm(4, 4), "silu"), nn.ConvTranspose2d(4, 1, 3, 1, 1)],
    ),
    # Residual blocks, with other channels and with the same, and the decoder that mirrors them.
    "images-residual": dict(
        image=(8, 4, 3), batch=4, latent=3, activation="silu", likelihood="gaussian-learned", lr=2e-3,
        encoder=["conv 6 k3 s1 identity", "res 6", "conv 8 k4 s2 identity", "res 12 norm2 gelu"],
        encoder_modules=lambda: [
            (nn.Conv2d(3, 6, 3, 1, 1), None), Residual(6, 6, [2, 2], "silu"), (nn.Conv2d(6, 8, 4, 2, 1), None),
            Residual(8, 12, [2, 2], "gelu"), nn.Flatten()],
        flat=96,
        decoder_modules=lambda: [
            (nn.Linear(3, 96), None), nn.Unflatten(1, (12, 4, 2)), Residual(12, 8, [2, 2], "gelu"),
            (nn.ConvTranspose2d(8, 6, 4, 2, 1), None), Residual(6, 6, [2, 2], "silu"), nn.ConvTranspose2d(6, 3, 3, 1, 1)],
    ),
    # The encoder and the decoder are told the class: behind the norm of a convolution, and beside the code.
    "images-class": dict(
        image=(8, 8, 1), batch=7, latent=3, activation="relu", likelihood="bernoulli", classes=3,
        encoder=["conv 4 k3 s2 norm2", "dense 9"],
        encoder_modules=lambda: [nn.Conv2d(1, 4, 3, 2, 1), nn.GroupNorm(2, 4), nn.Flatten(), nn.Linear(64, 9)],
        told=(2, 4, 64), flat=9,
        decoder=["dense 4x4x4", "conv 5 k3"],
        decoder_modules=lambda: [
            nn.Linear(3, 64), nn.Unflatten(1, (4, 4, 4)), nn.Conv2d(4, 5, 3, 1, 1), nn.ConvTranspose2d(5, 1, 3, 2, 1, 1)],
    ),
    # The same where there is no layer but the heads and the output.
    "images-class-linear": dict(
        image=(3, 2, 1), batch=5, latent=2, activation="relu", likelihood="mse", classes=4, encoder=[],
        encoder_modules=lambda: [nn.Flatten()], told=(0, 4, 6), flat=6,
        decoder_modules=lambda: [(nn.Linear(2, 6), None), nn.Unflatten(1, (1, 3, 2))],
    ),
    # Pixels are missing: a convolution that is told which, before its norm.
    "images-gaps": dict(
        image=(7, 6, 2), batch=5, latent=3, activation="relu", likelihood="gaussian-learned", missing=0.3,
        encoder=["conv 6 k3 s2 norm2", "dense 8"],
        encoder_modules=lambda: [nn.Conv2d(2, 6, 3, 2, 1), nn.GroupNorm(2, 6), nn.Flatten(), nn.Linear(72, 8)],
        absent=lambda: (nn.Conv2d(2, 6, 3, 2, 1, bias=False), 1), flat=8,
        decoder=["dense 84"],
        decoder_modules=lambda: [nn.Linear(3, 84), (nn.Linear(84, 84), None), nn.Unflatten(1, (2, 7, 6))],
    ),
    # The same of a dense layer, which takes images as rows of numbers and is told the class, too.
    "images-gaps-dense": dict(
        image=(4, 3, 2), are_rows=True, batch=6, latent=2, activation="tanh", likelihood="bernoulli", missing=0.4, classes=3,
        encoder=["dense 9"], encoder_modules=lambda: [nn.Linear(24, 9)],
        absent=lambda: (nn.Linear(24, 9, bias=False), 1), told=(1, 9, 7), flat=9,
        decoder=["dense 7"],
        decoder_modules=lambda: [nn.Linear(2, 7), (nn.Linear(7, 24), None)],
    ),
    # Squared errors, and no layer but the heads.
    "images-gaps-linear": dict(
        image=(3, 3, 1), batch=5, latent=2, activation="relu", likelihood="mse", missing=0.2, encoder=[],
        encoder_modules=lambda: [nn.Flatten()], absent=lambda: (nn.Linear(9, 4, bias=False), 0), flat=9,
        decoder_modules=lambda: [(nn.Linear(2, 9), None), nn.Unflatten(1, (1, 3, 3))],
    ),
    # Levels, each with its own scale: the last layer has twice the channels. Some are missing.
    "images-levels": dict(
        image=(6, 8, 2), batch=5, latent=3, activation="silu", likelihood="logistic", missing=0.2,
        encoder=["conv 4 k3 s2"],
        encoder_modules=lambda: [nn.Conv2d(2, 4, 3, 2, 1), nn.Flatten()],
        absent=lambda: (nn.Conv2d(2, 4, 3, 2, 1, bias=False), 1),
        flat=48,
        decoder_modules=lambda: [
            nn.Linear(3, 48), nn.Unflatten(1, (4, 3, 4)), nn.ConvTranspose2d(4, 4, 3, 2, 1, 1)],
    ),
}


class Residual(nn.Module):
    def __init__(self, inputs, outputs, groups, activation):
        super().__init__()
        self.norm1, self.conv1 = nn.GroupNorm(groups[0], inputs), nn.Conv2d(inputs, outputs, 3, 1, 1)
        self.norm2, self.conv2 = nn.GroupNorm(groups[1], outputs), nn.Conv2d(outputs, outputs, 3, 1, 1)
        self.skip = nn.Identity() if inputs == outputs else nn.Conv2d(inputs, outputs, 1)
        self.activation = ACTIVATION[activation]()

    def forward(self, x):
        h = self.conv1(self.activation(self.norm1(x)))
        return self.skip(x) + self.conv2(self.activation(self.norm2(h)))


def sequential(modules, activation, output):
    """With an activation behind every layer with weights, or behind its norm, but for the output's."""
    norms = nn.GroupNorm | nn.LayerNorm
    layers = []
    is_norm = lambda i: i < len(modules) and isinstance(
        modules[i][0] if isinstance(modules[i], tuple) else modules[i], norms)
    for i, module in enumerate(modules):
        module, own = module if isinstance(module, tuple) else (module, activation)
        layers.append(module)
        # An image is made of the activated numbers, unless a norm comes between.
        is_before_norm = is_norm(i + 1) or (i + 1 < len(modules) and isinstance(modules[i + 1], nn.Unflatten) and is_norm(i + 2))
        bare = nn.Flatten | nn.Unflatten | nn.AvgPool2d | nn.Upsample | Residual
        if isinstance(module, bare) or is_before_norm or (output and i == len(modules) - 1):
            continue
        layers.append(ACTIVATION[own]() if own else nn.Identity())
    return nn.Sequential(*layers)


class Model(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.c = c
        self.encoder = sequential(c["encoder_modules"](), c["activation"], False)
        self.mu, self.logvar = nn.Linear(c["flat"], c["latent"]), nn.Linear(c["flat"], c["latent"])
        self.decoder = sequential(c["decoder_modules"](), c["activation"], True)
        if "classes" in c:
            # The class is told behind the first modules of the encoder, or beside the heads, and beside the decoder's first.
            self.behind, encoder_width, decoder_width = c["told"]
            self.encoder_condition = nn.Linear(c["classes"], encoder_width, bias=False)
            self.decoder_condition = nn.Linear(c["classes"], decoder_width, bias=False)
        if "missing" in c:
            self.encoder_absent, self.absent_behind = c["absent"]()
        if c["likelihood"] == "gaussian-learned":
            self.log_sigma = nn.Parameter(torch.zeros(1))
        if c.get("tied"):
            # The transpose of the layer that it mirrors.
            mirrored = [self.mu] + [m for m in list(self.encoder)[::-1] if isinstance(m, nn.Linear | nn.Conv2d)]
            own = [m for m in self.decoder if isinstance(m, nn.Linear | nn.ConvTranspose2d)]
            for module, of in zip(own, mirrored, strict=True):
                del module.weight
                self.tie(module, of)

    def tie(self, module, of):
        if isinstance(module, nn.Linear):
            module.forward = lambda x: F.linear(x, of.weight.T, module.bias)
        else:
            module.forward = lambda x: F.conv_transpose2d(
                x, of.weight, module.bias, module.stride, module.padding, module.output_padding)

    def encode(self, x, classes):
        """mu and logvar; what is known of the rows is added behind a module, or to the heads where that is the first."""
        absent = torch.isnan(x).to(x)
        told = {}
        if "missing" in self.c:
            x = torch.nan_to_num(x, nan=0.0)
            is_dense = isinstance(self.encoder_absent, nn.Linear)
            told[self.absent_behind] = self.encoder_absent(absent.flatten(1) if is_dense else absent)
        if classes is not None:
            of_class = self.encoder_condition(classes)
            of_class = of_class if self.behind == 0 or self.c.get("are_rows") else of_class[:, :, None, None]
            told[self.behind] = told.get(self.behind, 0) + of_class
        h = x
        for number, module in enumerate(self.encoder, 1):
            h = module(h)
            h = h + told[number] if number in told else h
        heads = torch.cat([self.mu(h), self.logvar(h)], 1) + told.get(0, 0)
        return heads.chunk(2, 1)

    def forward(self, x, noise, classes):
        classes = F.one_hot(classes, self.c["classes"]).to(x) if "classes" in self.c else None
        mu, logvar = self.encode(x, classes)
        z = mu + torch.exp(logvar / 2) * noise
        if classes is not None:
            output = self.decoder[1:](self.decoder[0](z) + self.decoder_condition(classes))
        else:
            output = self.decoder(z)
        kl = 0.5 * (mu**2 + logvar.exp() - 1 - logvar).sum()
        there = ~torch.isnan(x)
        if self.c["likelihood"] == "logistic":
            output, log_scale = output.chunk(2, 1)
            log_scale = log_scale[there]
        output, x, rows = output[there], x[there], len(x)
        if self.c["likelihood"] == "bernoulli":
            recon = F.binary_cross_entropy_with_logits(output, x, reduction="sum")
        elif self.c["likelihood"] == "mse":
            recon = ((output - x) ** 2).sum()
        elif self.c["likelihood"] == "logistic":
            below = lambda end: torch.sigmoid((end - output) / log_scale.exp())
            share = torch.where(x < 1, below(x + 0.5 / 255), 1) - torch.where(x > 0, below(x - 0.5 / 255), 0)
            recon = -share.log().sum()
        else:
            recon = -torch.distributions.Normal(output, self.log_sigma.exp()).log_prob(x).sum()
        return (recon + kl) / rows


def toml(c):
    listed = lambda layers: "[" + ", ".join(f'"{layer}"' for layer in layers) + "]"
    model = [f"encoder = {listed(c['encoder'])}"] + ([f"decoder = {listed(c['decoder'])}"] if "decoder" in c else [])
    model += [f"latent = {c['latent']}", f'activation = "{c["activation"]}"', f'likelihood = "{c["likelihood"]}"']
    model += ["tied = true"] if c.get("tied") else []
    model += ['condition = "class"'] if "classes" in c else []
    train = [f"batch = {c['batch']}", f'optimizer = "{c.get("optimizer", "adam")}"', f"lr = {c.get('lr', 1e-2)}"]
    return "\n".join(["[model]", *model, "[train]", *train])


def arrays(prefix, named):
    return {f"{prefix}.{k}": v.detach().numpy().astype(np.float32) for k, v in named}


for number, (name, c) in enumerate(CASES.items()):
    torch.manual_seed(number)
    rng = np.random.default_rng(number)
    model = Model(c)
    with torch.no_grad():
        for m in model.modules():
            # Those of a norm start at 1 and 0, where a wrong one would not be seen.
            if isinstance(m, nn.GroupNorm | nn.LayerNorm):
                m.weight.uniform_(0.5, 1.5), m.bias.uniform_(-0.5, 0.5)
        for p in model.parameters():
            # As the program holds them.
            p.copy_(p.float().double())
    out = arrays("weights", model.named_parameters())
    height, width, channels = c["image"]
    b = c["batch"]
    x = rng.uniform(0, 1, (STEPS, b, height, width, channels)).astype(np.float32)
    noise = rng.standard_normal((STEPS, b, c["latent"])).astype(np.float32)
    classes = rng.integers(0, c.get("classes", 1), (STEPS, b))
    if c["likelihood"] == "logistic":
        x = (np.clip(np.round(300 * x - 20), 0, 255) / 255).astype(np.float32)
    if "missing" in c:
        x[rng.uniform(size=x.shape) < c["missing"]] = np.nan
    lr = c.get("lr", 1e-2)
    make = torch.optim.SGD if c.get("optimizer") == "sgd" else torch.optim.Adam
    rule = make(model.parameters(), lr=lr)
    losses = []
    for t in range(STEPS):
        rule.zero_grad()
        images = torch.tensor(x[t]).double().permute(0, 3, 1, 2)
        images = torch.tensor(x[t]).double().flatten(1) if c.get("are_rows") else images
        loss = model(images, torch.tensor(noise[t]).double(), torch.tensor(classes[t]))
        loss.backward()
        losses.append(loss.item())
        if t == 0:
            out |= arrays("gradients", ((k, p.grad) for k, p in model.named_parameters()))
        rule.step()
    out |= arrays("final", model.named_parameters())
    out |= {"x": np.nan_to_num(x, nan=MISSING).reshape(STEPS * b, -1), "noise": noise, "losses": np.asarray(losses, np.float32)}
    out |= {"classes": classes.reshape(-1).astype(np.int32)} if "classes" in c else {}
    path = pathlib.Path(__file__).with_name(f"{name}.safetensors")
    metadata = {"config": toml(c), "image": f"{height},{width},{channels}"}
    metadata |= {"classes": str(c["classes"])} if "classes" in c else {}
    metadata |= {"gaps": "true"} if "missing" in c else {}
    save_file({k: np.ascontiguousarray(v) for k, v in out.items()}, path, metadata=metadata)
    print(f"{path.name}: {losses[0]:.4f} -> {losses[-1]:.4f}")
