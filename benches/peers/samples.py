#!/usr/bin/env python3
"""How many images look like one of the data's classes: the share that a classifier is more than 95 % sure of, among test images,
their reconstructions, and samples of a run. The classifier is a small convolutional network that this script trains on the run's
data, which needs classes. Prints a Markdown table. Needs PyTorch, numpy and the built program."""
import pathlib
import sys
import tempfile

import numpy as np
import torch
from torch import nn

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from program import Program, arguments  # noqa: E402


def classifier(images, labels, epochs):
    height, width, channels = images.shape[1:]
    torch.manual_seed(1)
    model = nn.Sequential(
        nn.Conv2d(channels, 16, 3, 2, 1), nn.ReLU(), nn.Conv2d(16, 32, 3, 2, 1), nn.ReLU(), nn.Flatten(),
        nn.Linear(32 * ((height + 3) // 4) * ((width + 3) // 4), 100), nn.ReLU(), nn.Linear(100, int(labels.max()) + 1))
    adam = torch.optim.Adam(model.parameters(), 2e-3)
    for _ in range(epochs):
        for rows in torch.randperm(len(images)).split(128):
            adam.zero_grad()
            nn.functional.cross_entropy(model(images[rows].permute(0, 3, 1, 2)), labels[rows]).backward()
            adam.step()
    return model


def main():
    parser = arguments(__doc__)
    parser.add_argument("run", help="folder of the run")
    parser.add_argument("--data", default="strokes", metavar="SPEC", help="what the run was trained on (default strokes)")
    parser.add_argument("--count", type=int, default=2000, metavar="N", help="samples of a seed (default 2000)")
    parser.add_argument("--epochs", type=int, default=6, metavar="N", help="epochs of the classifier (default 6)")
    given = parser.parse_args()
    run = pathlib.Path(given.run).resolve()
    source = pathlib.Path(given.data)
    with tempfile.TemporaryDirectory() as folder:
        wgvae = Program(given.wgvae, folder)
        wgvae("data", "export", source.resolve() if source.exists() else given.data, "--format", "npy", "--to", "data")

        def array(name):
            values = torch.tensor(np.load(pathlib.Path(folder) / name))
            return values[..., None] if values.dim() == 3 else values

        train, test = array("data/train.npy").float(), array("data/test.npy").float()
        labels, of_test = array("data/train-labels.npy").flatten().long(), array("data/test-labels.npy").flatten().long()
        model = classifier(train, labels, given.epochs)

        @torch.no_grad()
        def sure(images):
            probabilities = torch.cat([model(some.permute(0, 3, 1, 2)).softmax(1) for some in images.split(1000)])
            return (probabilities.max(1)[0] > 0.95).float().mean().item(), probabilities.argmax(1)

        share, found = sure(test)
        accuracy = (found == of_test).float().mean().item()
        print(f"The classifier is right about {accuracy:.1%} of the test images.\n")
        print("| images | of which it is more than 95 % sure |\n|---|---|")
        print(f"| test images | {share:.1%} |")
        wgvae("reconstruct", run, "--to", "shown.npy")
        print(f"| reconstructions | {sure(array('shown.npy').float().reshape(test.shape))[0]:.1%} |")
        for title, source in [("samples", "codes"), ("samples from the prior", "prior")]:
            shares = []
            for seed in range(given.seeds):
                wgvae("sample", run, "--from", source, "--count", given.count, "--seed", seed, "--to", "drawn.npy")
                shares.append(sure(array("drawn.npy").float().reshape(-1, *test.shape[1:]))[0])
            print(f"| {title}, {given.seeds} seeds | " + ", ".join(f"{share:.1%}" for share in shares) + " |", flush=True)


main()
