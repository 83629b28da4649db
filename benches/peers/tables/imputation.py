#!/usr/bin/env python3
"""Missing values of tables: wgvae beside scikit-learn's mean, nearest neighbours and iterative imputers, fitted to the same rows
and judged on the same held-out ones. Of iris with its species, wine, breast cancer and people (2,000 rows of six columns of every
kind, made of two factors), 70 % of the rows are learned from, and a fifth of all cells are hidden in both parts. Of numbers, the
error is the root of the mean square over the column's deviation; of words, the share that is wrong. Prints a Markdown table of
means over columns and seeds. Needs scikit-learn, pandas and the built program."""
import argparse
import pathlib
import shlex
import subprocess
import tempfile
import time
import warnings

import numpy as np
import pandas as pd
from sklearn import datasets
from sklearn.experimental import enable_iterative_imputer  # noqa: F401
from sklearn.impute import IterativeImputer, KNNImputer, SimpleImputer

HIDDEN = 0.2


def people():
    rng = np.random.default_rng(0)
    n = 2000
    z = rng.standard_normal((n, 2))
    logits = np.stack([0.8 * z[:, 0], -0.5 * z[:, 0] + z[:, 1], -z[:, 1]], 1)
    town = (logits + rng.gumbel(size=(n, 3))).argmax(1)
    return pd.DataFrame({
        "age": np.round(45 + 12 * z[:, 0] + 4 * rng.standard_normal(n)),
        "income": np.round(np.exp(10 + 0.5 * z[:, 0] + 0.4 * z[:, 1] + 0.3 * rng.standard_normal(n)), 2),
        "visits": rng.negative_binomial(3, 3 / (3 + np.exp(1.2 + 0.8 * z[:, 1]))),
        "town": np.array(["Basel", "Cork", "Dax"])[town],
        "smoker": np.where(rng.random(n) < 1 / (1 + np.exp(-1.5 * z[:, 1])), "yes", "no"),
        "grade": 1 + np.clip(np.round(2 + z[:, 0] + 0.5 * rng.standard_normal(n)), 0, 4),
    })


def tables():
    iris = datasets.load_iris(as_frame=True).frame
    iris["species"] = np.array(datasets.load_iris().target_names)[iris.target]
    return {
        "iris, with its species": iris.drop(columns="target"),
        "wine": datasets.load_wine(as_frame=True).data,
        "breast cancer": datasets.load_breast_cancer(as_frame=True).data,
        "people": people(),
    }


def encoded(rows, table):
    """Numbers, and a column of ones and zeros for each word."""
    parts = []
    for name in table.columns:
        if table[name].dtype.kind in "if":
            parts.append(rows[[name]].astype(float))
            continue
        words = pd.DataFrame({f"{name}={word}": (rows[name] == word).astype(float) for word in sorted(table[name].unique())})
        words[rows[name].isna()] = np.nan
        parts.append(words)
    return pd.concat(parts, axis=1)


def filled_by(imputer, train, test, table):
    train, test = encoded(train, table), encoded(test, table)
    mean, deviation = train.mean(), train.std().replace(0, 1)
    imputer.fit((train - mean) / deviation)
    full = pd.DataFrame(imputer.transform((test - mean) / deviation), columns=test.columns) * deviation + mean
    filled = pd.DataFrame(index=full.index)
    for name in table.columns:
        if table[name].dtype.kind in "if":
            filled[name] = full[name]
        else:
            words = sorted(table[name].unique())
            filled[name] = [words[i] for i in full[[f"{name}={word}" for word in words]].to_numpy().argmax(1)]
    return filled


def filled_by_wgvae(program, folder, seed, train, test):
    for name, rows in [("train.csv", train), ("test.csv", test)]:
        rows.to_csv(pathlib.Path(folder) / name, index=False)
    quiet = {"cwd": folder, "check": True, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    subprocess.run([*program, "train", "--data", "train.csv", "--out", "run", "--replace", "--quiet", "--seed", str(seed)], **quiet)
    subprocess.run([*program, "restore", "run", "--data", "test.csv", "--to", "filled.csv"], **quiet)
    return pd.read_csv(pathlib.Path(folder) / "filled.csv")


def errors(filled, truth, hidden, table):
    found = []
    for place, name in enumerate(table.columns):
        gone = hidden[:, place]
        if table[name].dtype.kind in "if":
            apart = filled[name].to_numpy(float)[gone] - truth[name].to_numpy(float)[gone]
            found.append(np.sqrt(np.mean(apart**2)) / truth[name].std())
        else:
            found.append(np.mean(filled[name].to_numpy(str)[gone] != truth[name].to_numpy(str)[gone]))
    return np.mean(found)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--wgvae", default="target/release/wgvae", metavar="CMD", help="command that starts wgvae")
    parser.add_argument("--seeds", type=int, default=3, metavar="N", help="how many seeds (default 3)")
    given = parser.parse_args()
    program = shlex.split(given.wgvae)
    program[0] = str(pathlib.Path(program[0]).resolve()) if "/" in program[0] else program[0]
    warnings.filterwarnings("ignore")
    names = ["wgvae", "mean", "nearest neighbours", "iterative"]
    print("| table | " + " | ".join(names) + " | seconds of wgvae, iterative |")
    print("|---|" + "---|" * (len(names) + 1))
    folder = tempfile.TemporaryDirectory()
    for title, table in tables().items():
        all_found, seconds = [], np.zeros(2)
        for seed in range(given.seeds):
            rng = np.random.default_rng(seed)
            order = rng.permutation(len(table))
            split = int(0.7 * len(table))
            parts = []
            for rows in [order[:split], order[split:]]:
                truth = table.iloc[rows].reset_index(drop=True)
                hidden = rng.random(truth.shape) < HIDDEN
                # Rows of which nothing is left are no rows.
                some = ~hidden.all(1)
                truth, hidden = truth[some].reset_index(drop=True), hidden[some]
                parts.append((truth.astype(object).mask(hidden), truth, hidden))
            (train, _, _), (test, truth, hidden) = parts
            started = time.monotonic()
            found = [errors(filled_by_wgvae(program, folder.name, seed, train, test), truth, hidden, table)]
            seconds[0] += time.monotonic() - started
            for imputer in [SimpleImputer(), KNNImputer(n_neighbors=10), IterativeImputer(max_iter=20, random_state=seed)]:
                started = time.monotonic()
                found.append(errors(filled_by(imputer, train, test, table), truth, hidden, table))
            seconds[1] += time.monotonic() - started
            all_found.append(found)
        times = ", ".join(f"{value / given.seeds:.1f}" for value in seconds)
        print(f"| {title} | " + " | ".join(f"{value:.3f}" for value in np.mean(all_found, 0)) + f" | {times} |", flush=True)


main()
