#!/usr/bin/env python3
"""How well generated rows of tables pass for real ones. Of each FILE.csv=TARGET, 70 % of the rows are learned from, and as many are drawn.
Three figures, means over seeds: the ROC-AUC with which a random forest of 200 trees tells as many drawn rows from the held-out real ones
(five folds; 0.5 is a guess), and how good a forest is at the target of the held-out rows that was trained on real rows, and on drawn ones
(the share that is right of words and of up to ten numbers, else R2). With --rivals the same of SDV's GaussianCopula, CTGAN and TVAE, with
their own settings. Prints a Markdown table. Needs scikit-learn, pandas and the built program, and SDV for the rivals."""
import contextlib
import io
import pathlib
import sys
import tempfile
import time
import warnings

import numpy as np
import pandas as pd
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
from sklearn.metrics import r2_score, roc_auc_score
from sklearn.model_selection import StratifiedKFold

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
from program import Program, arguments  # noqa: E402

MISSING = -1e9


def encoded(*parts):
    """Numbers and a mark where one is missing, and ones and zeros for words, of several tables alike."""
    whole = pd.concat(parts, ignore_index=True)
    columns = []
    for name in whole.columns:
        if pd.api.types.is_numeric_dtype(parts[0][name]):
            numbers = pd.to_numeric(whole[name], errors="coerce")
            columns += [numbers.fillna(MISSING), numbers.isna()]
        else:
            columns.append(pd.get_dummies(whole[name].astype(str)))
    matrix = pd.concat(columns, axis=1).to_numpy(float)
    return np.split(matrix, np.cumsum([len(part) for part in parts])[:-1])


def told_apart(real, drawn, seed):
    rows = np.vstack(encoded(real, drawn))
    is_drawn = np.repeat([0, 1], [len(real), len(drawn)])
    scores = np.zeros(len(rows))
    for train, test in StratifiedKFold(5, shuffle=True, random_state=seed).split(rows, is_drawn):
        forest = RandomForestClassifier(200, random_state=seed, n_jobs=-1).fit(rows[train], is_drawn[train])
        scores[test] = forest.predict_proba(rows[test])[:, 1]
    return roc_auc_score(is_drawn, scores)


def right(rows, test, target, seed):
    """How good a forest is at the target of other rows."""
    rows, test = rows[rows[target].notna()], test[test[target].notna()]
    inputs, others = encoded(rows.drop(columns=target), test.drop(columns=target))
    if pd.api.types.is_numeric_dtype(test[target]) and test[target].nunique() > 10:
        forest = RandomForestRegressor(200, random_state=seed, n_jobs=-1)
        return r2_score(test[target], forest.fit(inputs, rows[target]).predict(others))
    forest = RandomForestClassifier(200, random_state=seed, n_jobs=-1)
    return np.mean(forest.fit(inputs, rows[target].astype(str)).predict(others) == test[target].astype(str))


def by_wgvae(wgvae, folder, train, seed):
    train.to_csv(folder / "train.csv", index=False)
    wgvae("train", "--data", "train.csv", "--out", "run", "--replace", "--quiet", "--seed", seed)
    trained = time.monotonic()
    wgvae("sample", "run", "--count", len(train), "--seed", seed, "--to", "drawn.csv")
    return pd.read_csv(folder / "drawn.csv"), trained


def by_rival(name):
    def draw(train, seed):
        import sdv.single_table
        import torch
        from sdv.metadata import Metadata

        torch.manual_seed(seed)
        np.random.seed(seed)
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            # Said for each column: what is guessed takes some for names of rows, or personal, and invents them.
            kinds = {name: "numerical" if pd.api.types.is_numeric_dtype(train[name]) else "categorical" for name in train}
            columns = {name: {"sdtype": kind} for name, kind in kinds.items()}
            metadata = Metadata.load_from_dict({"tables": {"rows": {"columns": columns}}})
            model = getattr(sdv.single_table, name)(metadata)
            model.fit({"rows": train})
            trained = time.monotonic()
            return model.sample(len(train))["rows"], trained

    return draw


def main():
    parser = arguments(__doc__)
    parser.add_argument("--rivals", action="store_true")
    parser.add_argument("tables", nargs="+", metavar="FILE.csv=TARGET")
    given = parser.parse_args()
    warnings.filterwarnings("ignore")
    folder = pathlib.Path(tempfile.mkdtemp())
    wgvae = Program(given.wgvae, folder)
    models = {"wgvae": lambda train, seed: by_wgvae(wgvae, folder, train, seed)}
    if given.rivals:
        models |= {name: by_rival(name + "Synthesizer") for name in ["GaussianCopula", "CTGAN", "TVAE"]}
    print("| table | rows x columns | model | told apart | target from real rows | from drawn rows | seconds to train |")
    print("|---|---|---|---|---|---|---|", flush=True)
    for named in given.tables:
        file, _, target = named.rpartition("=")
        table = pd.read_csv(file)
        for name, draw in models.items():
            found = []
            for seed in range(given.seeds):
                order = np.random.default_rng(seed).permutation(len(table))
                parts = np.split(order, [int(0.7 * len(table))])
                train, test = (table.iloc[part].reset_index(drop=True) for part in parts)
                started = time.monotonic()
                drawn, trained = draw(train, seed)
                # A column that is not learned from is not drawn, or has new names.
                kept = [column for column in drawn.columns if drawn[column].nunique() < len(drawn) or column == target
                        or pd.api.types.is_float_dtype(drawn[column])]
                train, test, drawn = train[kept], test[kept], drawn[kept]
                apart = told_apart(test, drawn.iloc[: len(test)], seed)
                real, fake = right(train, test, target, seed), right(drawn, test, target, seed)
                found.append([apart, real, fake, trained - started])
            apart, real, fake, seconds = np.mean(found, 0)
            size = f"{len(table)} x {len(table.columns)}"
            figures = f"{apart:.3f} | {real:.3f} | {fake:.3f} | {seconds:.1f}"
            print(f"| {pathlib.Path(file).stem} | {size} | {name} | {figures} |", flush=True)


main()
