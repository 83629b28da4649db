"""One training step of a preset's model, dense, convolutional or of texts, in PyTorch: milliseconds per step, eager, compiled
and as CUDA graphs."""
import sys
from functools import partial

import torch
from torch import nn
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy, mse_loss, pad, relu

from rounds import DENSE, LEARNING_RATE, PIXELS_ON, STEPS_PER_ROUND, TEXT, arguments, report

CUDA = torch.cuda.is_available()


class Vae(nn.Module):
    """One of wgvae's dense presets."""

    def __init__(self, model):
        super().__init__()
        self.model = model
        encoder = [model.data, *model.hidden]
        decoder = [model.latent, *reversed(model.hidden), model.data]
        self.encoder = nn.ModuleList(nn.Linear(*sizes) for sizes in zip(encoder, encoder[1:]))
        heads = 1 if model.beta is None else 2
        self.heads = nn.ModuleList(nn.Linear(encoder[-1], model.latent) for _ in range(heads))
        self.decoder = nn.ModuleList(nn.Linear(*sizes) for sizes in zip(decoder, decoder[1:]))

    def forward(self, x):
        """The loss, averaged over the batch: where nothing is drawn the reconstruction's, else the negative ELBO."""
        model, hidden, kl = self.model, x, 0
        for layer in self.encoder:
            hidden = relu(layer(hidden))
        if model.beta is None:
            hidden = relu(self.heads[0](hidden))
        else:
            mu, logvar = (head(hidden) for head in self.heads)
            hidden = mu + torch.exp(logvar / 2) * torch.randn_like(mu)
            kl = model.beta * 0.5 * (logvar.exp() + mu.square() - 1 - logvar).sum()
        for layer in self.decoder[:-1]:
            hidden = relu(layer(hidden))
        output = self.decoder[-1](hidden)
        if model.precision is None:
            reconstruction = binary_cross_entropy_with_logits(output, x, reduction="sum")
        else:
            reconstruction = 0.5 * model.precision * mse_loss(output, x, reduction="sum")
        return (reconstruction + kl) / len(x)


class ConvVae(nn.Module):
    """wgvae's `keras-conv`: 28x28x1-14x14x32-7x7x64-16-2 and back, the last transposed convolution to the data."""

    def __init__(self):
        super().__init__()
        flat = 7 * 7 * 64
        self.encoder = nn.Sequential(
            nn.Conv2d(1, 32, 3, 2, 1), nn.ReLU(), nn.Conv2d(32, 64, 3, 2, 1), nn.ReLU(),
            nn.Flatten(), nn.Linear(flat, 16), nn.ReLU())
        self.mu, self.logvar = nn.Linear(16, 2), nn.Linear(16, 2)
        self.decoder = nn.Sequential(
            nn.Linear(2, flat), nn.ReLU(), nn.Unflatten(1, (64, 7, 7)),
            nn.ConvTranspose2d(64, 64, 3, 2, 1, 1), nn.ReLU(), nn.ConvTranspose2d(64, 32, 3, 2, 1, 1), nn.ReLU(),
            nn.ConvTranspose2d(32, 1, 3, 1, 1))

    def forward(self, x):
        """The negative ELBO, averaged over the batch."""
        images = x.view(-1, 1, 28, 28)
        hidden = self.encoder(images)
        mu, logvar = self.mu(hidden), self.logvar(hidden)
        z = mu + torch.exp(logvar / 2) * torch.randn_like(mu)
        reconstruction = binary_cross_entropy_with_logits(self.decoder(z), images, reduction="sum")
        kl = 0.5 * (logvar.exp() + mu.square() - 1 - logvar).sum()
        return (reconstruction + kl) / len(x)


class TextVae(nn.Module):
    """wgvae's `text`: a GRU reads the tokens to a code, and another one, which is given the code at each step, writes them."""

    def __init__(self):
        super().__init__()
        read, hidden, latent = TEXT.embedding, TEXT.hidden, TEXT.latent
        self.embed = nn.ModuleList(nn.Embedding(TEXT.tokens, read) for _ in range(2))
        self.encoder = nn.GRU(read, hidden, batch_first=True)
        self.mu, self.logvar = nn.Linear(hidden, latent), nn.Linear(hidden, latent)
        self.start = nn.Linear(latent, hidden)
        self.decoder = nn.GRU(read + latent, hidden, batch_first=True)
        self.logits = nn.Linear(hidden, TEXT.tokens)

    def forward(self, x):
        """The negative ELBO, averaged over the batch."""
        _, last = self.encoder(self.embed[0](x))
        mu, logvar = self.mu(last[0]), self.logvar(last[0])
        z = mu + torch.exp(logvar / 2) * torch.randn_like(mu)
        # Each step sees the token before it.
        before = self.embed[1](pad(x[:, :-1], (1, 0)))
        inputs = torch.cat([before, z[:, None].expand(-1, TEXT.steps, -1)], 2)
        states, _ = self.decoder(inputs, torch.tanh(self.start(z))[None])
        logits = self.logits(states)
        reconstruction = cross_entropy(logits.flatten(0, 1), x.flatten(), reduction="sum")
        kl = 0.5 * (logvar.exp() + mu.square() - 1 - logvar).sum()
        return (reconstruction + kl) / len(x)


# Steps of a round of convolutions or texts: each takes some fifty times as long as a dense one.
MODELS = {name: (partial(Vae, model), STEPS_PER_ROUND) for name, model in DENSE.items()}
MODELS |= {"conv": (ConvVae, 10), "text": (TextVae, 10)}


def first_line(error):
    return str(error).strip().partition("\n")[0]


def wait():
    if CUDA:
        torch.cuda.synchronize()


def fresh(make, device, fused):
    torch.manual_seed(0)
    model = make().to(device)
    return model, torch.optim.Adam(model.parameters(), lr=LEARNING_RATE, fused=fused, capturable=fused and CUDA)


def step(model, adam, x):
    adam.zero_grad()
    loss = model(x)
    loss.backward()
    adam.step()
    return loss


def stepwise(make, batches, fused, compiled=None):
    """A round of steps called one by one; `compiled` is a mode of torch.compile."""
    model, adam = fresh(make, batches.device, fused)
    if compiled:
        model = torch.compile(model, mode=compiled)

    def run_round():
        for x in batches:
            if compiled:
                # Later steps may overwrite the loss of an earlier one, so only the last loss of a round is read.
                torch.compiler.cudagraph_mark_step_begin()
            loss = step(model, adam, x)
        wait()
        return loss.item()

    return run_round


def whole_step_graph(make, batches):
    """A round of replays of one CUDA graph that holds the whole step, the optimiser included."""
    model, adam = fresh(make, batches.device, fused=True)
    x = batches[0].clone()
    # One-time allocations and choices of a step must happen before the capture, on another stream.
    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        for _ in range(3):
            step(model, adam, x)
    torch.cuda.current_stream().wait_stream(side)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        loss = step(model, adam, x)

    def run_round():
        for batch in batches:
            x.copy_(batch)
            graph.replay()
        wait()
        return loss.item()

    return run_round


def main():
    given = arguments(__doc__, list(MODELS))
    batch, (make, steps) = given.batch, MODELS[given.model]
    torch.manual_seed(0)
    device = "cuda" if CUDA else "cpu"
    if given.model == "text":
        # Some tokens are more frequent than others, so that there is something to learn.
        batches = (torch.rand(steps, batch, TEXT.steps, device=device) ** 2 * TEXT.tokens).long()
    elif given.model == "points":
        batches = torch.randn(steps, batch, 2, device=device)
    else:
        batches = (torch.rand(steps, batch, 784, device=device) < PIXELS_ON).float()
    ways = {
        "eager": lambda: stepwise(make, batches, fused=False),
        "eager, fused Adam": lambda: stepwise(make, batches, fused=True),
        "compiled": lambda: stepwise(make, batches, fused=True, compiled="default"),
    }
    if CUDA:
        ways["compiled, reduce-overhead"] = lambda: stepwise(make, batches, fused=True, compiled="reduce-overhead")
        ways["whole-step graph"] = lambda: whole_step_graph(make, batches)
    name = torch.cuda.get_device_name() if CUDA else "cpu"
    for way, prepare in ways.items():
        try:
            report(f"PyTorch {torch.__version__} {way}", name, batch, steps, prepare())
        except RuntimeError as error:  # No fused Adam or no C++ compiler here: the other modes can still be timed.
            print(f"PyTorch {way} skipped: {first_line(error)}", file=sys.stderr)


if __name__ == "__main__":
    main()
