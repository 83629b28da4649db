#!/usr/bin/env python3
"""Generated rows of tables: wgvae beside TVAE and CTGAN (of the package ctgan, which SDV uses), pythae's VAE, and rows whose columns
are drawn independently. 70 % of the rows are learned from, and as many are generated. Two figures, means over seeds: how often a random
forest that was trained on generated rows is right about the class of the held-out real ones (trained on real rows for comparison),
and how far off correlations are (of numbers, and of ones and zeros for words; the mean distance from those of the held-out rows).
Then the seconds that training takes on 10,000 rows of seven columns. Prints Markdown tables. Needs scikit-learn, pandas and the built
program; ctgan, pythae and PyTorch are left out where they are not installed."""
import contextlib
import io
import logging
import pathlib
import sys
import tempfile
import time
import warnings

import numpy as np
import pandas as pd
from sklearn.ensemble import RandomForestClassifier

from public import decoded, encoded, is_of_words, people, tables

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
from program import Program, arguments  # noqa: E402

CLASSES = {"iris, with its species": "species", "wine": "sort", "breast cancer": "finding", "people": "town"}


class Wgvae:
    name = "wgvae"

    def __init__(self, wgvae):
        self.wgvae = wgvae

    def fit(self, train, seed):
        train.to_csv(pathlib.Path(self.wgvae.folder) / "train.csv", index=False)
        self.wgvae("train", "--data", "train.csv", "--out", "run", "--replace", "--quiet", "--seed", seed)

    def sample(self, count, seed):
        self.wgvae("sample", "run", "--count", count, "--seed", seed, "--to", "drawn.csv")
        return pd.read_csv(pathlib.Path(self.wgvae.folder) / "drawn.csv")


class FromPrior(Wgvae):
    name = "wgvae, from the prior"

    def fit(self, train, seed):
        """The run of the row before."""

    def sample(self, count, seed):
        self.wgvae("sample", "run", "--from", "prior", "--count", count, "--seed", seed, "--to", "drawn.csv")
        return pd.read_csv(pathlib.Path(self.wgvae.folder) / "drawn.csv")


class Independent:
    name = "independent columns"

    def fit(self, train, seed):
        self.train = train

    def sample(self, count, seed):
        rng = np.random.default_rng(seed)
        return pd.DataFrame({name: rng.choice(self.train[name], count) for name in self.train.columns})


class Ctgan:
    """One of the models of the package ctgan, with its defaults."""

    def __init__(self, kind):
        self.kind, self.name = kind, kind.__name__

    def fit(self, train, seed):
        import torch
        torch.manual_seed(seed)
        np.random.seed(seed)
        # Batches of CTGAN are 500 rows, and have to be fewer than there are; those of TVAE may be more.
        self.model = self.kind(batch_size=min(500, len(train) // 20 * 10), cuda=False) if self.name == "CTGAN" else self.kind(cuda=False)
        self.model.fit(train, [name for name in train.columns if is_of_words(train[name])])

    def sample(self, count, seed):
        return self.model.sample(count)


class Pythae:
    name = "pythae's VAE"

    def fit(self, train, seed):
        import torch
        from pythae.models import VAE, VAEConfig
        from pythae.pipelines import TrainingPipeline
        from pythae.trainers import BaseTrainerConfig
        torch.manual_seed(seed)
        self.table, full = train, encoded(train, train)
        self.columns, self.mean, self.deviation = full.columns, full.mean(), full.std().replace(0, 1)
        values = ((full - self.mean) / self.deviation).to_numpy(np.float32)
        self.model = VAE(VAEConfig(input_dim=(values.shape[1],), latent_dim=min(8, values.shape[1])))
        with tempfile.TemporaryDirectory() as folder:
            steps = max(1, len(values) // 64)
            config = BaseTrainerConfig(output_dir=folder, num_epochs=max(1, 5000 // steps), learning_rate=1e-3, no_cuda=True,
                                       per_device_train_batch_size=64)
            TrainingPipeline(model=self.model, training_config=config)(train_data=values)

    def sample(self, count, seed):
        import torch
        torch.manual_seed(seed)
        with torch.no_grad():
            values = self.model.decoder(torch.randn(count, self.model.latent_dim))["reconstruction"].reshape(count, -1)
        return decoded(pd.DataFrame(values.numpy(), columns=self.columns) * self.deviation + self.mean, self.table)


def makers(wgvae):
    found = [Wgvae(wgvae), FromPrior(wgvae)]
    with contextlib.suppress(ImportError):
        from ctgan import CTGAN, TVAE
        found += [Ctgan(TVAE), Ctgan(CTGAN)]
    with contextlib.suppress(ImportError):
        import pythae  # noqa: F401
        found.append(Pythae())
    return [*found, Independent()]


def right(rows, test, target, table, seed):
    """How often a forest that was trained on rows is right about others."""
    forest = RandomForestClassifier(random_state=seed)
    inputs = table.drop(columns=target)
    forest.fit(encoded(rows.drop(columns=target), inputs), rows[target].astype(str))
    return np.mean(forest.predict(encoded(test.drop(columns=target), inputs)) == test[target].astype(str))


def apart(rows, test, table):
    correlations = [np.corrcoef(encoded(part, table).to_numpy(), rowvar=False) for part in (rows, test)]
    return np.nanmean(np.abs(np.nan_to_num(correlations[0]) - correlations[1])[np.triu_indices(len(correlations[0]), 1)])


def main():
    given = arguments(__doc__).parse_args()
    warnings.filterwarnings("ignore")
    logging.disable(logging.WARNING)
    folder = tempfile.TemporaryDirectory()
    all_makers = makers(Program(given.wgvae, folder.name))
    names = ["real rows", *(maker.name for maker in all_makers)]
    figures = {}
    for title, table in tables().items():
        target, found = CLASSES[title], []
        for seed in range(given.seeds):
            order = np.random.default_rng(seed).permutation(len(table))
            train, test = (table.iloc[part].reset_index(drop=True) for part in np.split(order, [int(0.7 * len(table))]))
            row = [(right(train, test, target, table, seed), apart(train, test, table))]
            for maker in all_makers:
                with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
                    maker.fit(train, seed)
                    drawn = maker.sample(len(train), seed)
                row.append((right(drawn, test, target, table, seed), apart(drawn, test, table)))
            found.append(row)
        figures[title] = np.mean(found, 0)
    for place, what in enumerate(["right about the class of held-out rows", "correlations apart"]):
        print(f"\n| {what} | " + " | ".join(names) + " |\n|---|" + "---|" * len(names))
        for title, found in figures.items():
            print(f"| {title} | " + " | ".join(f"{value:.3f}" for value in found[:, place]) + " |", flush=True)

    table = pd.concat([people()] * 5, ignore_index=True)
    rng = np.random.default_rng(1)
    table["height"] = np.round(170 + 8 * rng.standard_normal(len(table)), 1)
    print("\n| 10,000 rows of 7 columns | seconds to train | seconds to draw 10,000 rows |\n|---|---|---|")
    for maker in all_makers:
        if isinstance(maker, (FromPrior, Independent)):
            continue
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            started = time.monotonic()
            maker.fit(table, 0)
            trained = time.monotonic()
            maker.sample(len(table), 0)
            drawn = time.monotonic()
        print(f"| {maker.name} | {trained - started:.1f} | {drawn - trained:.1f} |", flush=True)


main()
