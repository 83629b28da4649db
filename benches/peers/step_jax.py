"""One training step of a preset's model, dense or of texts, in JAX: milliseconds per step, with one call per step and as
one scan."""
from functools import partial

import jax
import jax.numpy as jnp
import optax

from rounds import DENSE, LEARNING_RATE, PIXELS_ON, STEPS_PER_ROUND, TEXT, arguments, report

# By default, GPUs may multiply with less precision than f32.
jax.config.update("jax_default_matmul_precision", "float32")

adam = optax.adam(LEARNING_RATE)


def linear(key, inputs, outputs):
    """Weight and bias, initialised like torch.nn.Linear."""
    bound = inputs**-0.5
    weight_key, bias_key = jax.random.split(key)
    weight = jax.random.uniform(weight_key, (inputs, outputs), minval=-bound, maxval=bound)
    return weight, jax.random.uniform(bias_key, (outputs,), minval=-bound, maxval=bound)


def gru(key, inputs, hidden):
    """Weights and biases of the gates r, z and n, initialised like torch.nn.GRU."""
    bound = hidden**-0.5
    shapes = [(inputs, 3 * hidden), (hidden, 3 * hidden), (3 * hidden,), (3 * hidden,)]
    keys = jax.random.split(key, len(shapes))
    return [jax.random.uniform(key, shape, minval=-bound, maxval=bound) for key, shape in zip(keys, shapes)]


def fresh_text_state():
    keys = jax.random.split(jax.random.key(0), 8)
    read, hidden, latent = TEXT.embedding, TEXT.hidden, TEXT.latent
    weights = {
        "embed.0": jax.random.normal(keys[0], (TEXT.tokens, read)),
        "embed.1": jax.random.normal(keys[1], (TEXT.tokens, read)),
        "encoder": gru(keys[2], read, hidden),
        "mu": linear(keys[3], hidden, latent),
        "logvar": linear(keys[4], hidden, latent),
        "start": linear(keys[5], latent, hidden),
        "decoder": gru(keys[6], read + latent, hidden),
        "logits": linear(keys[7], hidden, TEXT.tokens),
    }
    return weights, adam.init(weights), jax.random.key(1)


def states_of(weights, inputs, first):
    """The states of a GRU at each time, the times first; the product with the inputs is one over all times."""
    of_input, of_state, input_bias, state_bias = weights

    def turn(h, x):
        u = h @ of_state + state_bias
        (xr, xz, xn), (ur, uz, un) = jnp.split(x, 3, 1), jnp.split(u, 3, 1)
        r, z = jax.nn.sigmoid(xr + ur), jax.nn.sigmoid(xz + uz)
        n = jnp.tanh(xn + r * un)
        h = n + z * (h - n)
        return h, h

    return jax.lax.scan(turn, first, inputs @ of_input + input_bias)[1]


def text_loss(weights, x, key):
    """The negative ELBO of texts, averaged over the batch."""

    def layer(name, inputs):
        weight, bias = weights[name]
        return inputs @ weight + bias

    x = x.T
    last = states_of(weights["encoder"], weights["embed.0"][x], jnp.zeros((x.shape[1], TEXT.hidden)))[-1]
    mu, logvar = layer("mu", last), layer("logvar", last)
    z = mu + jnp.exp(logvar / 2) * jax.random.normal(key, mu.shape)
    # Each step sees the token before it.
    before = weights["embed.1"][jnp.pad(x[:-1], ((1, 0), (0, 0)))]
    inputs = jnp.concatenate([before, jnp.broadcast_to(z, (TEXT.steps, *z.shape))], 2)
    logits = layer("logits", states_of(weights["decoder"], inputs, jnp.tanh(layer("start", z))))
    chosen = jnp.take_along_axis(logits, x[..., None], 2)[..., 0]
    reconstruction = (jax.nn.logsumexp(logits, 2) - chosen).sum()
    kl = 0.5 * (jnp.exp(logvar) + mu**2 - 1 - logvar).sum()
    return (reconstruction + kl) / x.shape[1]


def fresh_state(model):
    if model is TEXT:
        return fresh_text_state()
    encoder = [model.data, *model.hidden]
    decoder = [model.latent, *reversed(model.hidden), model.data]
    heads = ["code"] if model.beta is None else ["mu", "logvar"]
    layers = {f"encoder.{i}": sizes for i, sizes in enumerate(zip(encoder, encoder[1:]))}
    layers |= {head: (encoder[-1], model.latent) for head in heads}
    layers |= {f"decoder.{i}": sizes for i, sizes in enumerate(zip(decoder, decoder[1:]))}
    keys = jax.random.split(jax.random.key(0), len(layers))
    weights = {name: linear(key, *sizes) for (name, sizes), key in zip(layers.items(), keys)}
    return weights, adam.init(weights), jax.random.key(1)


def loss_of(model, weights, x, key):
    """The loss, averaged over the batch: where nothing is drawn the reconstruction's, else the negative ELBO."""
    if model is TEXT:
        return text_loss(weights, x, key)

    def layer(name, inputs):
        weight, bias = weights[name]
        return inputs @ weight + bias

    hidden = x
    for i in range(len(model.hidden)):
        hidden = jax.nn.relu(layer(f"encoder.{i}", hidden))
    if model.beta is None:
        hidden, kl = jax.nn.relu(layer("code", hidden)), 0
    else:
        mu, logvar = layer("mu", hidden), layer("logvar", hidden)
        hidden = mu + jnp.exp(logvar / 2) * jax.random.normal(key, mu.shape)
        kl = 0.5 * (jnp.exp(logvar) + mu**2 - 1 - logvar).sum()
    for i in range(len(model.hidden)):
        hidden = jax.nn.relu(layer(f"decoder.{i}", hidden))
    output = layer(f"decoder.{len(model.hidden)}", hidden)
    if model.precision is None:
        # The same as optax.sigmoid_binary_cross_entropy, and faster: one logarithm per pixel instead of two.
        reconstruction = (jax.nn.relu(output) - output * x + jnp.log1p(jnp.exp(-abs(output)))).sum()
    else:
        reconstruction = 0.5 * model.precision * ((output - x) ** 2).sum()
    return (reconstruction + (model.beta or 0) * kl) / len(x)


def step(model, state, x):
    weights, moments, key = state
    key, noise_key = jax.random.split(key)
    loss, gradients = jax.value_and_grad(partial(loss_of, model))(weights, x, noise_key)
    updates, moments = adam.update(gradients, moments, weights)
    return (optax.apply_updates(weights, updates), moments, key), loss


def main():
    given = arguments(__doc__, [*DENSE, "text"])
    model, batch = DENSE.get(given.model, TEXT), given.batch
    device = jax.devices()[0].device_kind
    # A step of texts takes some fifty times as long as a dense one.
    steps = 10 if model is TEXT else STEPS_PER_ROUND
    shape = (steps, batch, TEXT.steps if model is TEXT else model.data)
    if model is TEXT:
        # Some tokens are more frequent than others, so that there is something to learn.
        data = (jax.random.uniform(jax.random.key(2), shape) ** 2 * TEXT.tokens).astype(int)
    elif model.data == 2:
        data = jax.random.normal(jax.random.key(2), shape)
    else:
        data = jax.random.bernoulli(jax.random.key(2), PIXELS_ON, shape).astype(jnp.float32)
    batches = [jax.block_until_ready(x) for x in data]

    # The new state reuses the memory of the old one.
    call = jax.jit(partial(step, model), donate_argnums=0)
    state = fresh_state(model)

    def round_of_calls():
        nonlocal state
        for x in batches:
            state, loss = call(state, x)
        jax.block_until_ready(state)
        return float(loss)

    report(f"JAX {jax.__version__} call", device, batch, steps, round_of_calls)

    scan = jax.jit(lambda state, data: jax.lax.scan(partial(step, model), state, data), donate_argnums=0)
    state = fresh_state(model)

    def round_of_one_scan():
        nonlocal state
        state, losses = jax.block_until_ready(scan(state, data))
        return float(losses[-1])

    report(f"JAX {jax.__version__} scan", device, batch, steps, round_of_one_scan)


if __name__ == "__main__":
    main()
