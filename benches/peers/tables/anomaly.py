#!/usr/bin/env python3
"""Anomaly detection in a table: wgvae beside scikit-learn's IsolationForest and LocalOutlierFactor and PyOD's VAE, trained on the same rows and scored on the same held-out ones. The table is scikit-learn's breast cancer (569 rows, 30 columns); the models learn
from the benign rows, less the tenth that wgvae holds out, and the malignant ones are to be found. Prints a Markdown
table of ROC-AUCs. Needs scikit-learn and the built program; PyOD is left out where it is not installed."""
import contextlib
import csv
import io
import json
import pathlib
import sys
import tempfile

from sklearn.datasets import load_breast_cancer
from sklearn.ensemble import IsolationForest
from sklearn.metrics import roc_auc_score
from sklearn.neighbors import LocalOutlierFactor
from sklearn.preprocessing import StandardScaler

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
from program import Program, arguments  # noqa: E402


def others(seed):
    """Other models, by name, and the sign of their scores of what is unusual."""
    yield "IsolationForest", IsolationForest(random_state=seed), -1
    yield "LocalOutlierFactor", LocalOutlierFactor(novelty=True), -1
    with contextlib.suppress(ImportError):
        from pyod.models.vae import VAE
        yield "PyOD VAE", VAE(random_state=seed), 1


def main():
    given = arguments(__doc__).parse_args()
    data = load_breast_cancer()
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        wgvae = Program(given.wgvae, folder)
        with open(pathlib.Path(folder) / "rows.csv", "w", newline="") as file:
            out = csv.writer(file)
            out.writerow([*data.feature_names, "label"])
            out.writerows([*row, label] for row, label in zip(data.data.tolist(), data.target))
        for seed in range(given.seeds):
            chosen = ["--data", "rows.csv", "--label", "label"]
            wgvae("train", *chosen, "--keep-label", 1, "--seed", seed, "--out", f"run{seed}")
            told = json.loads(wgvae("anomaly", f"run{seed}", *chosen, "--anomalous", 0, "--held-out", "--json"))
            # Of all rows, which wgvae was trained on.
            wgvae("anomaly", f"run{seed}", *chosen, "--to", "all.csv")
            with open(pathlib.Path(folder) / "all.csv") as file:
                trained = {int(row["row"]) for row in csv.DictReader(file) if row["trained"] == "yes"}
            known = [row for row in range(len(data.data)) if row in trained]
            unknown = [row for row in range(len(data.data)) if row not in trained]
            assert told["rows"] == len(unknown) and all(data.target[row] == 1 for row in known)
            scaler = StandardScaler().fit(data.data[known])
            train, test = scaler.transform(data.data[known]), scaler.transform(data.data[unknown])
            odd = data.target[unknown] == 0
            figures = {"wgvae": "roc_auc", "its negative ELBO": "roc_auc_of_negative_elbo", "its error": "roc_auc_of_error"}
            names, row = list(figures), [told[figure] for figure in figures.values()]
            for name, model, sign in others(seed):
                with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
                    model.fit(train)
                names.append(name)
                row.append(roc_auc_score(odd, sign * model.decision_function(test)))
            rows.append(row)
            print(f"seed {seed}: trained on {len(known)} rows, {len(unknown)} held out, {odd.sum()} of them malignant")
    print("\n| seed | " + " | ".join(names) + " |\n|---|" + "---|" * len(names))
    for seed, row in enumerate(rows):
        print(f"| {seed} | " + " | ".join(f"{value:.3f}" for value in row) + " |")


main()
