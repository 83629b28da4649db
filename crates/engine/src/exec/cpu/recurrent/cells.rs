//! What the units of a recurrent layer do, for some neighbouring units of a row.

use crate::exec::cpu::math::{sigmoid, tanh};
use crate::exec::cpu::vector::vectorised;

vectorised! {
    /// Gated recurrent units: `x` comes from the input and `u` from the recurrent product, r, z and n of each.
    pub(super) fn gru<'a>(
        x: [&'a [f32]; 3],
        u: [&'a [f32]; 3],
        bias: [&'a [f32]; 3],
        h: &'a [f32],
        kept: [&'a mut [f32]; 4],
        state: &'a mut [f32],
        next: &'a mut [f32],
    ) {
        let len = state.len();
        let [x, u, bias] = [x, u, bias].map(|of| of.map(|of| &of[..len]));
        let [r, z, n, q] = kept.map(|kept| &mut kept[..len]);
        let (h, next) = (&h[..len], &mut next[..len]);
        for i in 0..len {
            r[i] = sigmoid(x[0][i] + (u[0][i] + bias[0][i]));
            z[i] = sigmoid(x[1][i] + (u[1][i] + bias[1][i]));
            q[i] = u[2][i] + bias[2][i];
            n[i] = tanh(x[2][i] + r[i] * q[i]);
            state[i] = n[i] + z[i] * (h[i] - n[i]);
            next[i] = state[i];
        }
    }
}

vectorised! {
    /// Long short-term memory: gates i, f, g and o; the fifth that is kept is c, which was `c` before.
    pub(super) fn lstm<'a>(
        x: [&'a [f32]; 4],
        u: [&'a [f32]; 4],
        bias: [&'a [f32]; 4],
        c: &'a [f32],
        kept: [&'a mut [f32]; 5],
        state: &'a mut [f32],
        next: &'a mut [f32],
    ) {
        let len = state.len();
        let [x, u, bias] = [x, u, bias].map(|of| of.map(|of| &of[..len]));
        let [i, f, g, o, new] = kept.map(|kept| &mut kept[..len]);
        let (c, next) = (&c[..len], &mut next[..len]);
        for k in 0..len {
            i[k] = sigmoid(x[0][k] + (u[0][k] + bias[0][k]));
            f[k] = sigmoid(x[1][k] + (u[1][k] + bias[1][k]));
            g[k] = tanh(x[2][k] + (u[2][k] + bias[2][k]));
            o[k] = sigmoid(x[3][k] + (u[3][k] + bias[3][k]));
            new[k] = f[k] * c[k] + i[k] * g[k];
            state[k] = o[k] * tanh(new[k]);
            next[k] = state[k];
        }
    }
}

vectorised! {
    /// The gradient of [`gru`]: `d_h` becomes the part that goes past the product.
    pub(super) fn gru_back<'a>(
        d_h: &'a mut [f32],
        kept: [&'a [f32]; 4],
        h: &'a [f32],
        d_gates: [&'a mut [f32]; 3],
        d_hidden: [&'a mut [f32]; 3],
        next: [&'a mut [f32]; 3],
    ) {
        let len = d_h.len();
        let [r, z, n, q] = kept.map(|kept| &kept[..len]);
        let h = &h[..len];
        let [of_gates, of_hidden, next] = [d_gates, d_hidden, next].map(|of| of.map(|of| &mut of[..len]));
        for i in 0..len {
            let d_n = d_h[i] * (1.0 - z[i]) * (1.0 - n[i] * n[i]);
            let d_z = d_h[i] * (h[i] - n[i]) * z[i] * (1.0 - z[i]);
            let d_r = d_n * q[i] * r[i] * (1.0 - r[i]);
            let d_q = d_n * r[i];
            d_h[i] *= z[i];
            of_gates[0][i] = d_r;
            of_gates[1][i] = d_z;
            of_gates[2][i] = d_n;
            of_hidden[0][i] = d_r;
            of_hidden[1][i] = d_z;
            of_hidden[2][i] = d_q;
            next[0][i] = d_r;
            next[1][i] = d_z;
            next[2][i] = d_q;
        }
    }
}

vectorised! {
    /// The gradient of [`lstm`]: `d_c` becomes that of `c` before.
    pub(super) fn lstm_back<'a>(
        d_h: &'a [f32],
        d_c: &'a mut [f32],
        kept: [&'a [f32]; 5],
        c: &'a [f32],
        d_gates: [&'a mut [f32]; 4],
        next: [&'a mut [f32]; 4],
    ) {
        let len = d_c.len();
        let [i, f, g, o, new] = kept.map(|kept| &kept[..len]);
        let (d_h, c) = (&d_h[..len], &c[..len]);
        let [of_gates, next] = [d_gates, next].map(|of| of.map(|of| &mut of[..len]));
        for k in 0..len {
            let t = tanh(new[k]);
            let d = d_c[k] + d_h[k] * o[k] * (1.0 - t * t);
            let d_i = d * g[k] * i[k] * (1.0 - i[k]);
            let d_f = d * c[k] * f[k] * (1.0 - f[k]);
            let d_g = d * i[k] * (1.0 - g[k] * g[k]);
            let d_o = d_h[k] * t * o[k] * (1.0 - o[k]);
            d_c[k] = d * f[k];
            of_gates[0][k] = d_i;
            of_gates[1][k] = d_f;
            of_gates[2][k] = d_g;
            of_gates[3][k] = d_o;
            next[0][k] = d_i;
            next[1][k] = d_f;
            next[2][k] = d_g;
            next[3][k] = d_o;
        }
    }
}
