"""Makes the fixtures of tests/engine/reference.rs for tables: the likelihoods of columns written once more in JAX, in float64, with
columns of every kind and with missing values. The fixtures are those of make.py; the metadata also says what the columns are.

    pip install jax optax numpy safetensors
    python make_tables.py            # writes table-*.safetensors beside this file
    python make_tables.py NAME ...   # some of them
"""

import json
import pathlib
import sys

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax.scipy.special import gammaln
from safetensors.numpy import save_file

jax.config.update("jax_enable_x64", True)
STEPS, BATCH, LATENT, HIDDEN, RATE = 10, 9, 3, 11, 1e-2
MISSING = np.finfo(np.float32).max

# (kind, values, mean of the logarithms of counts)
CASES = {
    "table-numbers": dict(columns=[("number", 1, 0.0)] * 6, missing=0.0),
    "table-gaps": dict(columns=[("number", 1, 0.0)] * 5, missing=0.3),
    "table-words": dict(columns=[("number", 1, 0.0), ("category", 4, 0.0), ("yes-no", 1, 0.0), ("category", 2, 0.0)], missing=0.0),
    "table-mixed": dict(
        columns=[("count", 1, 1.3), ("category", 3, 0.0), ("number", 1, 0.0), ("yes-no", 1, 0.0), ("count", 1, 0.4), ("number", 1, 0.0)],
        missing=0.2,
    ),
    "table-counts": dict(
        columns=[("count", 1, 1.3), ("count", 1, 0.4), ("count", 1, 0.0), ("count", 1, 2.1)], missing=0.2, likelihood="negative-binomial",
    ),
    "table-zeros": dict(
        columns=[("count", 1, 1.3), ("count", 1, 0.4), ("count", 1, 0.0), ("count", 1, 0.9)], missing=0.3, likelihood="zero-inflated",
    ),
}


def has_numbers(columns):
    return any(kind == "number" for kind, _, _ in columns)


def cells(columns, missing, rng):
    """Rows of values as the program holds them; where some are numbers, behind them half of the width of the interval around each, and of
    counts the mean of the logarithms."""
    rows = []
    for _ in range(STEPS * BATCH):
        row = []
        for kind, values, log_mean in columns:
            if rng.uniform() < missing:
                row += [MISSING] * values
            elif kind == "number":
                row.append(rng.standard_normal())
            elif kind == "yes-no":
                row.append(rng.integers(2))
            elif kind == "count":
                row.append(np.log1p(rng.negative_binomial(2, 0.3)) - log_mean)
            else:
                row += list(np.eye(values)[rng.integers(values)])
        rows.append(row)
    rows = np.asarray(rows, np.float32)
    if not has_numbers(columns):
        return rows
    is_number = np.concatenate([[kind == "number"] * values for kind, values, _ in columns])
    halves = rng.choice([0.0, 0.01, 0.3, 1.5], rows.shape) * (is_number & (rows != MISSING))
    halves += np.concatenate([[log_mean] * values for _, values, log_mean in columns])
    return np.concatenate([rows, halves.astype(np.float32)], axis=1)


def init(width, gaps, outputs, rng):
    params = {}

    def linear(name, inputs, outputs):
        bound = 1 / np.sqrt(inputs)
        params[f"{name}.weight"] = rng.uniform(-bound, bound, (outputs, inputs))
        params[f"{name}.bias"] = rng.uniform(-bound, bound, outputs)

    linear("encoder.0", width, HIDDEN)
    if gaps:
        params["encoder_absent.weight"] = rng.uniform(-1, 1, (HIDDEN, width))
    linear("mu", HIDDEN, LATENT)
    linear("logvar", HIDDEN, LATENT)
    linear("decoder.0", LATENT, HIDDEN)
    linear("decoder.2", HIDDEN, outputs * width)
    params["dispersion"] = rng.uniform(-0.7, 0.7, width)
    return {k: jnp.asarray(v.astype(np.float32), jnp.float64) for k, v in params.items()}


def interval(x, half, location, scale):
    """The logarithm of the mean density of a logistic distribution from x - half to x + half; of the density where half is 0."""
    wide = jnp.where(half > 0, half, 1.0)
    share = jax.nn.sigmoid((x + wide - location) / scale) - jax.nn.sigmoid((x - wide - location) / scale)
    return jnp.where(half > 0, jnp.log(share / (2 * wide)), jax.scipy.stats.logistic.logpdf(x, location, scale))


def likelihood(columns, x, halves, there, output, dispersion, logits):
    """The logarithm of a row's probability: of what is there."""
    total, at = 0.0, 0
    for kind, values, log_mean in columns:
        here, o, d = x[:, at : at + values], output[:, at : at + values], dispersion[..., at : at + values]
        if kind == "number":
            term = interval(here, halves[:, at : at + values], o, jnp.exp(d))
        elif kind == "yes-no":
            term = here * jax.nn.log_sigmoid(o) + (1 - here) * jax.nn.log_sigmoid(-o)
        elif kind == "category":
            term = jnp.sum(here * jax.nn.log_softmax(o, axis=1), axis=1, keepdims=True)
        else:
            k, m, r = jnp.round(jnp.expm1(here + log_mean)), jnp.exp(o + log_mean), jnp.exp(d)
            choose = gammaln(k + r) - gammaln(r) - gammaln(k + 1)
            term = choose + r * jnp.log(r / (r + m)) + k * jnp.log(m / (r + m))
            if logits is not None:
                logit = logits[:, at : at + values]
                term = term + jax.nn.log_sigmoid(-logit)
                term = jnp.where(k == 0, jnp.logaddexp(jax.nn.log_sigmoid(logit), term), term)
        total += jnp.sum(jnp.where(there[:, at : at + 1], term, 0.0))
        at += values
    return total


def loss(columns, gaps, p, x, noise):
    width = sum(values for _, values, _ in columns)
    x, halves = x[:, :width], x[:, width:]
    there = x < 3e38
    x = jnp.where(there, x, 0.0)
    h = x @ p["encoder.0.weight"].T + p["encoder.0.bias"]
    if gaps:
        h = h + (1.0 - there) @ p["encoder_absent.weight"].T
    h = jax.nn.silu(h)
    mu, logvar = (h @ p[f"{head}.weight"].T + p[f"{head}.bias"] for head in ["mu", "logvar"])
    kl = 0.5 * jnp.sum(mu**2 + jnp.exp(logvar) - 1 - logvar)
    z = mu + jnp.exp(logvar / 2) * noise
    h = jax.nn.silu(z @ p["decoder.0.weight"].T + p["decoder.0.bias"])
    output = h @ p["decoder.2.weight"].T + p["decoder.2.bias"]
    logits, dispersion = None, p["dispersion"]
    if has_numbers(columns):
        dispersion = dispersion + output[:, width:]
    elif output.shape[1] > width:
        logits = output[:, width:]
    return (kl - likelihood(columns, x, halves, there, output, dispersion, logits)) / x.shape[0]


for number, (name, case) in enumerate(CASES.items()):
    if sys.argv[1:] and name not in sys.argv[1:]:
        continue
    columns, gaps = case["columns"], case["missing"] > 0
    of = case.get("likelihood", "columns")
    rng = np.random.default_rng(100 + number)
    x = cells(columns, case["missing"], rng)
    width = sum(values for _, values, _ in columns)
    params = init(width, gaps, 2 if of == "zero-inflated" or has_numbers(columns) else 1, rng)
    noise = rng.standard_normal((STEPS, BATCH, LATENT)).astype(np.float32)
    out = {f"weights.{k}": np.asarray(v, np.float32) for k, v in params.items()}
    rule = optax.adam(RATE)
    state = rule.init(params)
    step = jax.jit(jax.value_and_grad(lambda p, x, n: loss(columns, gaps, p, x, n)))
    losses = []
    for t in range(STEPS):
        rows = jnp.asarray(x[t * BATCH : (t + 1) * BATCH], jnp.float64)
        value, grads = step(params, rows, jnp.asarray(noise[t], jnp.float64))
        if t == 0:
            out |= {f"gradients.{k}": np.asarray(v, np.float32) for k, v in grads.items()}
        losses.append(float(value))
        updates, state = rule.update(grads, state, params)
        params = optax.apply_updates(params, updates)
    out |= {f"final.{k}": np.asarray(v, np.float32) for k, v in params.items()}
    out |= {"x": x, "noise": noise, "losses": np.asarray(losses, np.float32)}
    config = f'[model]\nhidden = [{HIDDEN}]\nlatent = {LATENT}\nactivation = "silu"\nlikelihood = "{of}"\n'
    config += f'[train]\nbatch = {BATCH}\noptimizer = "adam"\nlr = {RATE}\n'
    table = dict(gaps=gaps, columns=[dict(kind=k, values=n, log_mean=m) for k, n, m in columns])
    path = pathlib.Path(__file__).with_name(f"{name}.safetensors")
    metadata = {"config": config, "table": json.dumps(table)}
    save_file({k: np.ascontiguousarray(v) for k, v in out.items()}, path, metadata=metadata)
    print(f"{path.name}: {losses[0]:.4f} -> {losses[-1]:.4f}")
