"""One training step of a dense preset's model in JAX: milliseconds per step, with one call per step and as one scan."""
from functools import partial

import jax
import jax.numpy as jnp
import optax

from rounds import DENSE, LEARNING_RATE, PIXELS_ON, STEPS_PER_ROUND, arguments, report

# By default, GPUs may multiply with less precision than f32.
jax.config.update("jax_default_matmul_precision", "float32")

adam = optax.adam(LEARNING_RATE)


def linear(key, inputs, outputs):
    """Weight and bias, initialised like torch.nn.Linear."""
    bound = inputs**-0.5
    weight_key, bias_key = jax.random.split(key)
    weight = jax.random.uniform(weight_key, (inputs, outputs), minval=-bound, maxval=bound)
    return weight, jax.random.uniform(bias_key, (outputs,), minval=-bound, maxval=bound)


def fresh_state(model):
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
    given = arguments(__doc__, list(DENSE))
    model, batch = DENSE[given.model], given.batch
    device = jax.devices()[0].device_kind
    shape = (STEPS_PER_ROUND, batch, model.data)
    if model.data == 2:
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

    report(f"JAX {jax.__version__} call", device, batch, STEPS_PER_ROUND, round_of_calls)

    scan = jax.jit(lambda state, data: jax.lax.scan(partial(step, model), state, data), donate_argnums=0)
    state = fresh_state(model)

    def round_of_one_scan():
        nonlocal state
        state, losses = jax.block_until_ready(scan(state, data))
        return float(losses[-1])

    report(f"JAX {jax.__version__} scan", device, batch, STEPS_PER_ROUND, round_of_one_scan)


if __name__ == "__main__":
    main()
