"""Makes the fixtures of tests/engine/reference.rs: small models written once more in JAX, in float64.

Each fixture holds the configuration (TOML, in the metadata), the initial weights under their checkpoint names, the
rows of ten batches, the noise of ten steps, the loss of each step, every gradient of the first, and the weights after
the tenth.

    pip install jax optax numpy safetensors
    python make.py            # writes *.safetensors beside this file
    python make.py NAME ...   # some of them
"""

import pathlib
import sys

import jax
import jax.numpy as jnp
import numpy as np
import optax
from safetensors.numpy import save_file

jax.config.update("jax_enable_x64", True)
STEPS = 10

ACTIVATIONS = {
    "identity": lambda u: u,
    "relu": jax.nn.relu,
    "leaky-relu": jax.nn.leaky_relu,
    "elu": jax.nn.elu,
    "softplus": jax.nn.softplus,
    "sigmoid": jax.nn.sigmoid,
    "tanh": jnp.tanh,
    "silu": jax.nn.silu,
    "gelu": lambda u: jax.nn.gelu(u, approximate=False),
}

BASE = dict(
    width=13, batch=7, hidden=[11], latent=3, activation="relu", latent_activation="identity", likelihood="bernoulli",
    sigma=1.0, objective="elbo", beta=1.0, tied=False, optimizer="adam", lr=1e-2, momentum=0.0, nesterov=False,
    weight_decay=0.0, clip=None, free_bits=None, capacity=None, kl_at_most=None, samples=1, sample_groups=1,
    elbo_share=0.0, doubly_reparameterised=False, tc_weight=None, tc_stratified=False, dip_off_diagonal=None,
    dip_diagonal=None, mmd_weight=None, prior="standard", prior_parts=None,
)

CASES = {
    "dense": dict(width=49, batch=16, hidden=[24], latent=5),
    "deep": dict(hidden=[16, 8], latent=4, width=20, likelihood="mse", beta=0.1, activation="leaky-relu"),
    "linear": dict(hidden=[], likelihood="gaussian", sigma=0.5, optimizer="sgd", lr=1e-3),
    "elu-sgd": dict(activation="elu", optimizer="sgd", lr=1e-3, momentum=0.9, nesterov=True, weight_decay=0.1),
    "softplus-learned": dict(activation="softplus", likelihood="gaussian-learned", beta=2.0),
    "sigmoid-adamw": dict(activation="sigmoid", optimizer="adamw", weight_decay=0.1),
    "tanh-tied": dict(activation="tanh", hidden=[12, 8], tied=True),
    "silu-clip": dict(activation="silu", clip=0.5, optimizer="sgd", lr=0.1, momentum=0.5),
    "gelu-tied": dict(activation="gelu", tied=True, weight_decay=0.05),
    "autoencoder": dict(hidden=[], latent=6, objective="ae", latent_activation="relu"),
    "autoencoder-tied": dict(hidden=[9], latent=4, objective="ae", latent_activation="sigmoid", tied=True, likelihood="mse"),
    "objective-free-bits": dict(free_bits=0.07, beta=1.5),
    "objective-capacity": dict(capacity=0.9, beta=20.0, hidden=[9], latent=4),
    "objective-at-most": dict(kl_at_most=0.2, likelihood="gaussian-learned", activation="tanh", clip=2.0, weight_decay=0.1),
    "objective-iwae": dict(objective="iwae", samples=5, activation="tanh"),
    "objective-miwae": dict(objective="iwae", samples=6, sample_groups=2, likelihood="gaussian", sigma=0.4, batch=4),
    "objective-ciwae": dict(objective="iwae", samples=3, elbo_share=0.3, tied=True),
    "objective-tc": dict(objective="beta-tc", tc_weight=4.0, beta=0.8, hidden=[9], latent=4),
    "objective-tc-stratified": dict(objective="beta-tc", tc_weight=7.0, tc_stratified=True, likelihood="gaussian", sigma=0.4),
    "objective-dip-i": dict(objective="dip-i", dip_off_diagonal=5.0, dip_diagonal=8.0),
    "objective-dip-ii": dict(objective="dip-ii", dip_off_diagonal=3.0, dip_diagonal=2.0, activation="tanh"),
    "objective-info": dict(objective="info", beta=0.5, mmd_weight=30.0, latent=4),
    "objective-doubly": dict(objective="iwae", samples=6, sample_groups=2, doubly_reparameterised=True, activation="elu"),
    "prior-mixture": dict(prior="mixture", prior_parts=4, beta=1.3),
    "prior-vamp": dict(prior="vamp", prior_parts=3, hidden=[9], latent=4, activation="tanh"),
    "prior-vamp-iwae": dict(prior="vamp", prior_parts=5, objective="iwae", samples=4, elbo_share=0.25),
    "prior-mixture-doubly": dict(prior="mixture", prior_parts=3, objective="iwae", samples=3, doubly_reparameterised=True),
    "likelihood-laplace": dict(likelihood="laplace", activation="tanh", sigma=0.5),
    "likelihood-student-t": dict(likelihood="student-t", activation="elu", sigma=0.3, hidden=[9]),
    "likelihood-logistic": dict(likelihood="logistic", activation="silu", sigma=0.2, latent=4),
}


def init(c, rng):
    params = {}

    def linear(name, inputs, outputs, weight=True):
        bound = 1 / np.sqrt(inputs)
        if weight:
            params[f"{name}.weight"] = rng.uniform(-bound, bound, (outputs, inputs))
        params[f"{name}.bias"] = rng.uniform(-bound, bound, outputs)

    inputs = c["width"]
    for i, outputs in enumerate(c["hidden"]):
        linear(f"encoder.{2 * i}", inputs, outputs)
        inputs = outputs
    for head in ["mu", "logvar"] if c["objective"] != "ae" else ["code"]:
        linear(head, inputs, c["latent"])
    inputs = c["latent"]
    of_levels = c["likelihood"] == "logistic"
    for i, outputs in enumerate(c["hidden"][::-1] + [(1 + of_levels) * c["width"]]):
        linear(f"decoder.{2 * i}", inputs, outputs, weight=not c["tied"])
        inputs = outputs
    if c["likelihood"] == "gaussian-learned":
        params["log_sigma"] = np.zeros(1)
    if c["prior"] == "mixture":
        params["prior.mu"] = rng.uniform(-1.7, 1.7, (c["prior_parts"], c["latent"]))
        params["prior.logvar"] = rng.uniform(-1, 0.5, (c["prior_parts"], c["latent"]))
    if c["prior"] == "vamp":
        params["prior.inputs"] = rng.uniform(0, 1, (c["prior_parts"], c["width"]))
    if c["likelihood"] in ["laplace", "student-t"]:
        params["log_scale"] = np.log(np.full(1, c["sigma"]))
    if c["likelihood"] == "student-t":
        params["log_freedom"] = np.log(np.full(1, 10.0))
    if c["kl_at_most"]:
        params["kl_multiplier"] = np.ones(1)
    # As the program holds them.
    return {k: jnp.asarray(v.astype(np.float32), jnp.float64) for k, v in params.items()}


def terms(c, p, x, noise, of_q=lambda q: q):
    """Of each draw: -ln p(x | z) and ln p(z) - ln q(z | x), q as a function of z of what `of_q` makes of mu and logvar; of each
    row the KL of its dimensions; and z, mu and logvar. The last three are none of an autoencoder."""
    act = ACTIVATIONS[c["activation"]]

    def apply(name, h, weight=None):
        return h @ (p[f"{name}.weight"].T if weight is None else weight) + p[f"{name}.bias"]

    def encoded(h):
        for i in range(len(c["hidden"])):
            h = act(apply(f"encoder.{2 * i}", h))
        return h

    h = encoded(x)
    kl = ratio = codes = None
    noise = noise[:len(x) * c["samples"]]
    if c["objective"] != "ae":
        mu, logvar = apply("mu", h), apply("logvar", h)
        kl = 0.5 * (mu**2 + jnp.exp(logvar) - 1 - logvar)
        mu, logvar, x = (jnp.repeat(rows, c["samples"], axis=0) for rows in (mu, logvar, x))
        z = mu + jnp.exp(logvar / 2) * noise
        log_normal = jax.scipy.stats.norm.logpdf
        codes = z, mu, logvar
        mu, logvar = of_q(mu), of_q(logvar)
        log_q = jnp.sum(log_normal(z, mu, jnp.exp(logvar / 2)), axis=1)
        if c["prior"] == "standard":
            ratio = jnp.sum(log_normal(z), axis=1) - log_q
        else:
            rows = encoded(p["prior.inputs"]) if c["prior"] == "vamp" else None
            parts = [apply(head, rows) if c["prior"] == "vamp" else p[f"prior.{head}"] for head in ["mu", "logvar"]]
            densities = log_normal(z[:, None], parts[0][None], jnp.exp(parts[1] / 2)[None]).sum(2)
            ratio = jax.nn.logsumexp(densities, axis=1) - jnp.log(c["prior_parts"]) - log_q
            kl = -ratio.reshape(-1, c["samples"]).mean(1, keepdims=True)
    else:
        z = ACTIVATIONS[c["latent_activation"]](apply("code", h))
    names = [f"encoder.{2 * i}" for i in range(len(c["hidden"]))] + ["code" if c["objective"] == "ae" else "mu"]
    h, last = z, len(c["hidden"])
    for i in range(last + 1):
        h = apply(f"decoder.{2 * i}", h, p[f"{names[last - i]}.weight"] if c["tied"] else None)
        h = act(h) if i < last else h
    if c["likelihood"] == "bernoulli":
        recon = jnp.sum(jnp.logaddexp(0.0, h) - h * x, axis=1)
    elif c["likelihood"] == "mse":
        recon = jnp.sum((h - x) ** 2, axis=1)
    elif c["likelihood"] == "laplace":
        recon = -jnp.sum(jax.scipy.stats.laplace.logpdf(x, h, jnp.exp(p["log_scale"][0])), axis=1)
    elif c["likelihood"] == "logistic":
        location, scale = h[:, :c["width"]], c["sigma"] * jnp.exp(h[:, c["width"]:])
        below = lambda end: jax.scipy.stats.logistic.cdf(end, location, scale)
        recon = -jnp.sum(jnp.log(jnp.where(x < 1, below(x + 0.5 / 255), 1) - jnp.where(x > 0, below(x - 0.5 / 255), 0)), axis=1)
    elif c["likelihood"] == "student-t":
        freedom, scale = jnp.exp(p["log_freedom"][0]), jnp.exp(p["log_scale"][0])
        recon = -jnp.sum(jax.scipy.stats.t.logpdf(x, freedom, h, scale), axis=1)
    else:
        log_sigma = p["log_sigma"][0] if c["likelihood"] == "gaussian-learned" else jnp.log(c["sigma"])
        recon = -jnp.sum(jax.scipy.stats.norm.logpdf(x, h, jnp.exp(log_sigma)), axis=1)
    return recon, ratio, kl, codes


def bound(c, recon, ratio):
    """Minus the importance-weighted bound, the mean over rows and groups."""
    log_weights = (ratio - recon).reshape(-1, c["samples"] // c["sample_groups"])
    return -jnp.mean(jax.nn.logsumexp(log_weights, axis=1) - jnp.log(log_weights.shape[1]))


def total_correlation(c, z, mu, logvar):
    """Chen et al. (2018), appendix C: log q(z) and log prod q(z_d) by minibatch-weighted or stratified sampling."""
    b, n = len(z), STEPS * len(z)
    densities = jax.scipy.stats.norm.logpdf(z[:, None], mu[None], jnp.exp(logvar / 2)[None])
    if c["tc_stratified"]:
        m = b - 1
        weights = np.full((b, b), 1 / m)
        for i in range(b):
            weights[i, i], weights[i, (i + 1) % b] = 1 / n, (n - m) / (n * m)
    else:
        weights = np.full((b, b), 1 / (n * b))
    log_q = jax.nn.logsumexp(np.log(weights) + densities.sum(2), axis=1)
    log_product = jax.nn.logsumexp(np.log(weights)[:, :, None] + densities, axis=1).sum(1)
    return jnp.mean(log_q - log_product)


def covariance_distance(c, mu, logvar):
    """Kumar et al. (2018), equations 6 and 7."""
    covariance = jnp.cov(mu.T, bias=True)
    if c["objective"] == "dip-ii":
        covariance += jnp.diag(jnp.mean(jnp.exp(logvar), axis=0))
    on = jnp.diag(covariance)
    off = covariance - jnp.diag(on)
    return c["dip_off_diagonal"] * jnp.sum(off**2) + c["dip_diagonal"] * jnp.sum((on - 1) ** 2)


def discrepancy(z, prior):
    """Gretton et al. (2012), the biased estimate of the square, with a normal kernel of variance Z / 2."""
    def kernel(a, b):
        return jnp.mean(jnp.exp(-jnp.sum((a[:, None] - b[None]) ** 2, axis=2) / a.shape[1]))

    return kernel(z, z) + kernel(prior, prior) - 2 * kernel(z, prior)


def loss(c, p, x, noise):
    """What is minimised, and what the program says of it."""
    recon, ratio, kl, codes = terms(c, p, x, noise)
    recon, b = jnp.mean(recon), x.shape[0]
    if kl is None:
        return recon, recon
    mean_kl = jnp.sum(kl) / b
    said = recon + c["beta"] * mean_kl
    if c["objective"] == "iwae":
        value = bound(c, *terms(c, p, x, noise)[:2])
        value = (1 - c["elbo_share"]) * value + c["elbo_share"] * (recon + mean_kl)
        return value, value
    if c["objective"] == "beta-tc":
        return said + (c["tc_weight"] - 1) * total_correlation(c, *codes), said
    if c["objective"] in ["dip-i", "dip-ii"]:
        return said + covariance_distance(c, *codes[1:]), said
    if c["objective"] == "info":
        return said + c["mmd_weight"] * discrepancy(codes[0], noise[b:]), said
    if c["free_bits"]:
        return recon + c["beta"] * jnp.sum(jnp.maximum(c["free_bits"], jnp.mean(kl, axis=0))), said
    if c["capacity"]:
        value = recon + c["beta"] * jnp.abs(mean_kl - c["capacity"])
        return value, value
    if c["kl_at_most"]:
        return recon + jax.lax.stop_gradient(p["kl_multiplier"][0]) * mean_kl, said
    return said, said


def doubly_reparameterised(c, p, x, noise):
    """Tucker et al. (2019), equation 8, for the encoder; the usual gradient for the decoder."""
    constant = jax.lax.stop_gradient

    def of_encoder(p):
        recon, ratio, *_ = terms(c, p, x, noise, constant)
        log_weights = (ratio - recon).reshape(-1, c["samples"] // c["sample_groups"])
        shares = constant(jax.nn.softmax(log_weights, axis=1))
        return -jnp.sum(shares**2 * log_weights) / log_weights.shape[0]

    (value, said), usual = jax.value_and_grad(lambda p: loss(c, p, x, noise), has_aux=True)(p)
    through = jax.grad(of_encoder)(p)
    is_encoders = lambda name: name.startswith(("encoder", "mu", "logvar"))
    return (value, said), {name: (through if is_encoders(name) else usual)[name] for name in p}


def multiplied(c, p, x, noise):
    """The multiplier after a step: exponentiated gradient ascent along how far the KL is above the limit, at most as far as the
    limit itself. It stays between a thousandth and a million."""
    excess = jnp.sum(terms(c, p, x, noise)[2]) / len(x) / c["kl_at_most"] - 1
    return jnp.clip(p["kl_multiplier"] * jnp.exp(0.05 * jnp.clip(excess, -1, 1)), 1e-3, 1e6)


def optimizer(c):
    lr, decay = c["lr"], c["weight_decay"]
    if c["optimizer"] == "sgd":
        rule = optax.sgd(lr, c["momentum"] or None, c["nesterov"])
    elif c["optimizer"] == "adam":
        rule = optax.adam(lr)
    else:
        return optax.adamw(lr, weight_decay=decay)
    clip = optax.clip_by_global_norm(c["clip"]) if c["clip"] else optax.identity()
    return optax.chain(clip, optax.add_decayed_weights(decay), rule)


def toml(c):
    def value(v):
        return str(v).lower() if isinstance(v, bool) else repr(v).replace("'", '"')

    model = ["hidden", "latent", "activation", "latent_activation", "likelihood", "sigma", "objective", "beta", "tied"]
    model += [k for k in ["free_bits", "capacity", "kl_at_most", "tc_weight", "tc_stratified", "dip_off_diagonal",
                          "dip_diagonal", "mmd_weight"] if c[k]]
    if c["prior"] != "standard":
        model += ["prior", "prior_parts"]
    if c["objective"] == "iwae":
        model += ["samples", "sample_groups", "elbo_share", "doubly_reparameterised"]
    train = ["batch", "optimizer", "lr", "momentum", "nesterov", "weight_decay"] + (["clip"] if c["clip"] else [])
    lines = ["[model]"] + [f"{k} = {value(c[k])}" for k in model] + ["[train]"] + [f"{k} = {value(c[k])}" for k in train]
    return "\n".join(lines)


for number, (name, changes) in enumerate(CASES.items()):
    if sys.argv[1:] and name not in sys.argv[1:]:
        continue
    c = BASE | changes
    rng = np.random.default_rng(number)
    params = init(c, rng)
    b = c["batch"]
    x = rng.uniform(0, 1, (STEPS, b, c["width"])).astype(np.float32)
    if c["likelihood"] == "logistic":
        x = (np.clip(np.round(300 * x - 20), 0, 255) / 255).astype(np.float32)
    # Behind the noise of the draws, those from the prior.
    draws = b * (c["samples"] + (c["objective"] == "info"))
    noise = rng.standard_normal((STEPS, draws, c["latent"])).astype(np.float32)
    out = {f"weights.{k}": np.asarray(v, np.float32) for k, v in params.items()}
    # The multiplier is no business of the optimiser.
    rule = optax.masked(optimizer(c), {name: name != "kl_multiplier" for name in params})
    state = rule.init(params)
    step = jax.value_and_grad(lambda p, x, n: loss(c, p, x, n), has_aux=True)
    if c["doubly_reparameterised"]:
        step = lambda p, x, n: doubly_reparameterised(c, p, x, n)
    step = jax.jit(step)
    losses = []
    for t in range(STEPS):
        (_, value), grads = step(params, jnp.asarray(x[t], jnp.float64), jnp.asarray(noise[t], jnp.float64))
        if t == 0:
            out |= {f"gradients.{k}": np.asarray(v, np.float32) for k, v in grads.items()}
        losses.append(float(value))
        updates, state = rule.update(grads, state, params)
        moved = optax.apply_updates(params, updates)
        if c["kl_at_most"]:
            moved["kl_multiplier"] = multiplied(c, params, x[t], noise[t])
        params = moved
    out |= {f"final.{k}": np.asarray(v, np.float32) for k, v in params.items()}
    out |= {"x": x.reshape(STEPS * b, -1), "noise": noise, "losses": np.asarray(losses, np.float32)}
    path = pathlib.Path(__file__).with_name(f"{name}.safetensors")
    save_file({k: np.ascontiguousarray(v) for k, v in out.items()}, path, metadata={"config": toml(c)})
    print(f"{path.name}: {losses[0]:.4f} -> {losses[-1]:.4f}")
