"""The tables that the scripts of this folder compare on."""
import numpy as np
import pandas as pd
from sklearn import datasets


def people():
    """2,000 rows of six columns of every kind, made of two factors."""
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


def of_sklearn(load, name, words=None):
    """One of scikit-learn's tables with its classes as a column of words; without a name, the classes are left out."""
    found = load(as_frame=True)
    table = found.frame.drop(columns="target")
    if name:
        words = words or list(found.target_names)
        table[name] = np.array(words)[found.target]
    return table


def tables(classes=True):
    """Each table by its name; all with their classes, or iris alone."""
    return {
        "iris, with its species": of_sklearn(datasets.load_iris, "species"),
        "wine": of_sklearn(datasets.load_wine, "sort" if classes else None, ["first", "second", "third"]),
        "breast cancer": of_sklearn(datasets.load_breast_cancer, "finding" if classes else None),
        "people": people(),
    }


def is_of_words(column):
    return column.dtype.kind not in "if"


def encoded(rows, table, first=0):
    """Numbers, and a column of ones and zeros for each word; or for each but the first, since a regression cannot use columns that add up
    to one."""
    parts = []
    for name in table.columns:
        if not is_of_words(table[name]):
            parts.append(rows[[name]].astype(float))
            continue
        words = pd.DataFrame({f"{name}={word}": (rows[name] == word).astype(float) for word in sorted(table[name].unique())[first:]})
        words[rows[name].isna()] = np.nan
        parts.append(words)
    return pd.concat(parts, axis=1)


def decoded(full, table, first=0):
    """The rows that such columns stand for: of words, the one with the largest number; a first word that has no column has what the others
    leave of one."""
    rows = pd.DataFrame(index=full.index)
    for name in table.columns:
        if not is_of_words(table[name]):
            rows[name] = full[name]
        else:
            words = sorted(table[name].unique())
            shares = full[[f"{name}={word}" for word in words[first:]]].to_numpy()
            if first:
                shares = np.column_stack([1 - shares.sum(1), shares])
            rows[name] = [words[i] for i in shares.argmax(1)]
    return rows
