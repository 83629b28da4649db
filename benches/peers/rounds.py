"""Shared by the Python peers: the models, their arguments, the timing of a step, and the line they print."""
import argparse
import json
import math
import time
from typing import NamedTuple


class Dense(NamedTuple):
    """wgvae's preset of the same name: relu, losses summed over a row, Adam."""

    data: int
    hidden: list
    latent: int
    # Cross-entropy on logits, or half of the squared error times this.
    precision: float = None
    # The weight of the KL term. None: no draw and no KL, and a relu code.
    beta: float = 1
    batch: int = 128


DENSE = {
    "dense": Dense(784, [400], 20),
    "deep-dense": Dense(784, [128, 64], 16, precision=2, beta=0.01, batch=64),
    "autoencoder": Dense(784, [], 32, beta=None, batch=256),
    "points": Dense(2, [100], 2, precision=100),
}


class Text(NamedTuple):
    """wgvae's preset `text` on lines of 31 characters out of 62, each with its end: 32 steps, 64 tokens."""

    steps: int = 32
    tokens: int = 64
    embedding: int = 64
    hidden: int = 256
    latent: int = 32
    batch: int = 64


TEXT = Text()
LEARNING_RATE = 1e-3
# Share of pixels that are 1, about that of MNIST. The pixels are random, so that none is always 0: weights without any
# gradient would turn Adam's moments into denormal numbers, which are slow on some CPUs.
PIXELS_ON = 0.13
ROUNDS = 5
STEPS_PER_ROUND = 100


def arguments(description, models):
    """The batch size and the model, from the command line."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--batch", type=int, metavar="N", help="examples per step (default: the preset's)")
    parser.add_argument("--model", choices=models, default=models[0], help="which model (default: %(default)s)")
    given = parser.parse_args()
    given.batch = batch_of(given.model) if given.batch is None else given.batch
    if given.batch < 1:
        parser.error("--batch must be at least 1")
    return given


def batch_of(model):
    """The batch of a preset."""
    if model == "text":
        return TEXT.batch
    return DENSE[model].batch if model in DENSE else 128


def report(peer, device, batch, steps, run_round):
    """Times `run_round`, which runs so many steps, waits for them and returns the last loss."""
    losses, seconds = [run_round()], []  # The first round compiles and warms up.
    for _ in range(ROUNDS):
        started = time.perf_counter()
        losses.append(run_round())
        seconds.append(time.perf_counter() - started)
    # The time of a step that does not train would be meaningless.
    if not math.isfinite(losses[-1]) or losses[-1] >= losses[0]:
        raise SystemExit(f"{peer} does not train: its losses went {losses}")
    ms_per_step = 1e3 * min(seconds) / steps
    line = {"peer": peer, "device": device, "batch": batch, "ms_per_step": round(ms_per_step, 4), "loss": losses[-1]}
    print(json.dumps(line), flush=True)
