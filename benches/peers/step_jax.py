"""One training step of the 784-400-20-400-784 VAE in JAX: milliseconds per step, with one call per step and as one scan."""
import jax
import jax.numpy as jnp
import optax

from rounds import HIDDEN, LATENT, LEARNING_RATE, PIXELS, PIXELS_ON, STEPS_PER_ROUND, arguments, report

# By default, GPUs may multiply with less precision than f32.
jax.config.update("jax_default_matmul_precision", "float32")

adam = optax.adam(LEARNING_RATE)


def linear(key, inputs, outputs):
    """Weight and bias, initialised like torch.nn.Linear."""
    bound = inputs**-0.5
    weight_key, bias_key = jax.random.split(key)
    weight = jax.random.uniform(weight_key, (inputs, outputs), minval=-bound, maxval=bound)
    return weight, jax.random.uniform(bias_key, (outputs,), minval=-bound, maxval=bound)


def fresh_state():
    layers = {
        "encoder": (PIXELS, HIDDEN),
        "mu": (HIDDEN, LATENT),
        "logvar": (HIDDEN, LATENT),
        "decoder": (LATENT, HIDDEN),
        "logits": (HIDDEN, PIXELS),
    }
    keys = jax.random.split(jax.random.key(0), len(layers))
    weights = {name: linear(key, *sizes) for (name, sizes), key in zip(layers.items(), keys)}
    return weights, adam.init(weights), jax.random.key(1)


def loss_of(weights, x, key):
    """The negative ELBO, averaged over the batch."""

    def layer(name, inputs):
        weight, bias = weights[name]
        return inputs @ weight + bias

    hidden = jax.nn.relu(layer("encoder", x))
    mu, logvar = layer("mu", hidden), layer("logvar", hidden)
    z = mu + jnp.exp(logvar / 2) * jax.random.normal(key, mu.shape)
    logits = layer("logits", jax.nn.relu(layer("decoder", z)))
    # The same as optax.sigmoid_binary_cross_entropy, and faster: one logarithm per pixel instead of two.
    reconstruction = (jax.nn.relu(logits) - logits * x + jnp.log1p(jnp.exp(-abs(logits)))).sum()
    kl = 0.5 * (jnp.exp(logvar) + mu**2 - 1 - logvar).sum()
    return (reconstruction + kl) / len(x)


def step(state, x):
    weights, moments, key = state
    key, noise_key = jax.random.split(key)
    loss, gradients = jax.value_and_grad(loss_of)(weights, x, noise_key)
    updates, moments = adam.update(gradients, moments, weights)
    return (optax.apply_updates(weights, updates), moments, key), loss


def main():
    batch = arguments(__doc__, ["dense"]).batch
    device = jax.devices()[0].device_kind
    shape = (STEPS_PER_ROUND, batch, PIXELS)
    data = jax.random.bernoulli(jax.random.key(2), PIXELS_ON, shape).astype(jnp.float32)
    batches = [jax.block_until_ready(x) for x in data]

    # The new state reuses the memory of the old one.
    call = jax.jit(step, donate_argnums=0)
    state = fresh_state()

    def round_of_calls():
        nonlocal state
        for x in batches:
            state, loss = call(state, x)
        jax.block_until_ready(state)
        return float(loss)

    report(f"JAX {jax.__version__} call", device, batch, STEPS_PER_ROUND, round_of_calls)

    scan = jax.jit(lambda state, data: jax.lax.scan(step, state, data), donate_argnums=0)
    state = fresh_state()

    def round_of_one_scan():
        nonlocal state
        state, losses = jax.block_until_ready(scan(state, data))
        return float(losses[-1])

    report(f"JAX {jax.__version__} scan", device, batch, STEPS_PER_ROUND, round_of_one_scan)


if __name__ == "__main__":
    main()
