#!/usr/bin/env python3
"""Anomalies in tables: wgvae beside nearest neighbours, scikit-learn's IsolationForest and LocalOutlierFactor, and PyOD's VAE where it is
installed. Each FILE.csv=LABEL is a table of numbers whose column LABEL is 1 of anomalies and 0 of all else. Twice: learned from half of the usual
rows, all others judged; and learned from all rows, anomalies among them, all judged. Prints a Markdown table of ROC-AUCs, means over seeds,
and their means over the tables. Needs scikit-learn, pandas and the built program."""
import contextlib
import csv
import io
import pathlib
import sys
import tempfile
import warnings

import numpy as np
import pandas as pd
from sklearn.ensemble import IsolationForest
from sklearn.metrics import roc_auc_score
from sklearn.neighbors import LocalOutlierFactor, NearestNeighbors
from sklearn.preprocessing import StandardScaler

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
from program import Program, arguments  # noqa: E402

NEIGHBOURS = 5


def by_neighbours(train, test, are_same):
    found = NearestNeighbors(n_neighbors=NEIGHBOURS + are_same).fit(train)
    return found.kneighbors(test)[0][:, -1]


def others(train, test, are_same, seed):
    """What other models find anomalous, by their names."""
    yield "nearest neighbours", by_neighbours(train, test, are_same)
    yield "IsolationForest", -IsolationForest(random_state=seed).fit(train).score_samples(test)
    yield "LocalOutlierFactor", -LocalOutlierFactor(novelty=True).fit(train).score_samples(test)
    with contextlib.suppress(ImportError):
        from pyod.models.vae import VAE

        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            yield "PyOD VAE", VAE(random_state=seed).fit(train).decision_function(test)


def by_wgvae(wgvae, folder, train, test, seed):
    for name, rows in [("train.csv", train), ("test.csv", test)]:
        rows.to_csv(folder / name, index=False)
    wgvae("train", "--data", "train.csv", "--out", "run", "--replace", "--quiet", "--seed", seed)
    wgvae("anomaly", "run", "--data", "test.csv", "--to", "found.csv")
    found = {name: np.zeros(len(test)) for name in ["score", "negative_elbo", "distance", "error"]}
    with open(folder / "found.csv") as file:
        for row in csv.DictReader(file):
            for name, of in found.items():
                of[int(row["row"])] = float(row[name])
    return found


def main():
    parser = arguments(__doc__)
    parser.add_argument("tables", nargs="+", metavar="FILE.csv=LABEL")
    given = parser.parse_args()
    warnings.filterwarnings("ignore")
    folder = pathlib.Path(tempfile.mkdtemp())
    wgvae = Program(given.wgvae, folder)
    sums = {}
    for named in given.tables:
        file, _, label = named.rpartition("=")
        table = pd.read_csv(file)
        odd = table.pop(label).to_numpy(int)
        table = table.loc[:, table.nunique() > 1]
        for way in ["usual rows", "all rows"]:
            found = []
            for seed in range(given.seeds):
                usual = np.random.default_rng(seed).permutation(np.flatnonzero(odd == 0))
                train = np.sort(usual[: len(usual) // 2]) if way == "usual rows" else np.arange(len(odd))
                test = np.setdiff1d(np.arange(len(odd)), train) if way == "usual rows" else train
                scores = by_wgvae(wgvae, folder, table.iloc[train], table.iloc[test], seed)
                scores = {f"wgvae, {name}": of for name, of in scores.items()}
                scaler = StandardScaler().fit(table.iloc[train])
                rows = [scaler.transform(table.iloc[part]) for part in (train, test)]
                scores |= dict(others(*rows, way == "all rows", seed))
                found.append([roc_auc_score(odd[test], of) for of in scores.values()])
            sums.setdefault(way, []).append((pathlib.Path(file).stem, list(scores), np.mean(found, 0)))
            figures = " | ".join(f"{value:.3f}" for value in np.mean(found, 0))
            print(f"{pathlib.Path(file).stem}, {way}: {figures}", file=sys.stderr, flush=True)
    for way, lines in sums.items():
        print(f"\n| learned from {way} | " + " | ".join(lines[0][1]) + " |\n|---|" + "---|" * len(lines[0][1]))
        for name, _, values in [*lines, ("**mean**", None, np.mean([values for *_, values in lines], 0))]:
            print(f"| {name} | " + " | ".join(f"{value:.3f}" for value in values) + " |")


main()
