//! Objectives: what training minimises, as losses and their weights, and what a step reports of them.

use wgvae_engine::graph::{Axis, Graph, Node, Scalar, gradients};
use wgvae_engine::plan::{Activation, Function, Init};

use super::network::{Drawn, Encoded};
use super::spec::{Importance, Objective, Penalty, VaeSpec};
use super::{layers, regulariser, step};

/// The losses of a batch.
pub(super) struct Losses {
    /// Nodes and the weights of their elements, whose sum is minimised.
    pub losses: Vec<(Node, Node)>,
    /// `(B, 1)`: the negative log-likelihood of each row; of several draws, their mean.
    pub recon: Node,
    /// `(B, 1)`: what a row loses, where that is not the reconstruction and a multiple of the KL.
    pub loss: Option<Node>,
    /// Inputs that the host writes once: see [`regulariser::constants`].
    pub constants: Vec<Node>,
    /// `(B S, 1)`: the logarithms of the weights of draws, and of their sums `(B M, 1)`.
    weights: Option<[Node; 2]>,
}

/// The losses of a batch of rows, of which each has `recon (B S, 1)` for its draws.
pub(super) fn losses(g: &mut Graph, spec: &VaeSpec, encoded: &Encoded, recon: Node, batch: usize) -> Losses {
    if spec.objective == Objective::Iwae {
        return importance_weighted(g, spec.importance, encoded, recon, batch);
    }
    // The mean over the batch.
    let mean = g.constant(1.0 / batch as f32);
    let mut losses = vec![(recon, mean)];
    if let Some(kl) = encoded.kl() {
        losses.extend(penalty(g, spec.penalty, kl, encoded.kl_terms(), batch));
    }
    let mut constants = Vec::new();
    if let Some(Drawn { mu, logvar, .. }) = encoded.drawn() {
        let input = |constant: regulariser::Constant| g.input(constant.name, constant.shape, false);
        constants = regulariser::constants(spec.regulariser, batch, spec.latent).into_iter().map(input).collect();
        let codes = regulariser::LatentNodes { z: encoded.z, mu, logvar, prior: encoded.prior() };
        losses.extend(regulariser::losses(g, spec.regulariser, &codes, &constants, batch));
    }
    Losses { losses, recon, loss: None, constants, weights: None }
}

/// Adds the penalty on the KL of rows `(B, 1)`, or on the KL of their dimensions `(B, Z)` where the prior has one for
/// each.
fn penalty(g: &mut Graph, penalty: Penalty, kl: Node, terms: Option<Node>, batch: usize) -> Vec<(Node, Node)> {
    let beta = g.scalar(Scalar::Step { scalar: step::BETA, over: 1 });
    match penalty {
        Penalty::Weighted => vec![(kl, g.scalar(Scalar::Step { scalar: step::BETA, over: batch as u32 }))],
        // max(least, x) has the slope of relu(x - least).
        Penalty::FreeBits(least) => {
            let terms = terms.unwrap_or(kl);
            let of_dimensions = mean_of_rows(g, "kl_of_dimensions", terms, 1.0 / batch as f32);
            let least = g.constant(-least);
            let above = g.sum_of("kl_above", of_dimensions, least);
            vec![(relu(g, "kl_charged", above), beta)]
        }
        Penalty::Capacity => distance(&mut Nodes { g, kl, batch }).map(|far| (far, beta)).to_vec(),
        // The multiplier is a weight without a gradient; `kernels::optimizer::multiplier` makes its step.
        Penalty::AtMost(_) => {
            let mean = mean_of_rows(g, "mean_kl", kl, 1.0 / batch as f32);
            vec![(mean, g.param_with_own_update(MULTIPLIER, &[1], Init::Constant(1.0)))]
        }
    }
}

/// How the mean KL is computed with: as nodes of a graph, or as a number.
trait Algebra {
    /// A node, or a number.
    type Value: Copy;
    /// The mean KL, times 1 or -1.
    fn mean_kl(&mut self, name: &str, sign: f32) -> Self::Value;
    /// The nats that the KL is held at.
    fn capacity(&mut self) -> Self::Value;
    fn sum(&mut self, name: &str, a: Self::Value, b: Self::Value) -> Self::Value;
    fn negative(&mut self, name: &str, a: Self::Value) -> Self::Value;
    fn relu(&mut self, name: &str, a: Self::Value) -> Self::Value;
}

/// The distance of the mean KL from what it is held at, in two parts: `|C - KL| = relu(C - KL) + relu(KL - C)`.
fn distance<A: Algebra>(of: &mut A) -> [A::Value; 2] {
    let (minus_mean, capacity) = (of.mean_kl("minus_kl", -1.0), of.capacity());
    let below = of.sum("kl_below", minus_mean, capacity);
    let above = of.negative("kl_above", below);
    [of.relu("kl_missing", below), of.relu("kl_excess", above)]
}

/// The KL of rows `(B, 1)` as nodes.
struct Nodes<'a> {
    g: &'a mut Graph,
    kl: Node,
    batch: usize,
}

impl Algebra for Nodes<'_> {
    type Value = Node;

    fn mean_kl(&mut self, name: &str, sign: f32) -> Node {
        mean_of_rows(self.g, name, self.kl, sign / self.batch as f32)
    }

    fn capacity(&mut self) -> Node {
        self.g.scalar(Scalar::Step { scalar: step::CAPACITY, over: 1 })
    }

    fn sum(&mut self, name: &str, a: Node, b: Node) -> Node {
        self.g.sum_of(name, a, b)
    }

    fn negative(&mut self, name: &str, a: Node) -> Node {
        self.g.negative(name, a)
    }

    fn relu(&mut self, name: &str, a: Node) -> Node {
        relu(self.g, name, a)
    }
}

/// The mean KL of rows as a number, with its slope by the KL: `[value, slope]`.
struct Numbers {
    kl: f64,
    capacity: f64,
}

impl Algebra for Numbers {
    type Value = [f64; 2];

    fn mean_kl(&mut self, _: &str, sign: f32) -> [f64; 2] {
        [self.kl, 1.0].map(|x| f64::from(sign) * x)
    }

    fn capacity(&mut self) -> [f64; 2] {
        [self.capacity, 0.0]
    }

    fn sum(&mut self, _: &str, a: [f64; 2], b: [f64; 2]) -> [f64; 2] {
        [a[0] + b[0], a[1] + b[1]]
    }

    fn negative(&mut self, _: &str, a: [f64; 2]) -> [f64; 2] {
        a.map(|x| -x)
    }

    fn relu(&mut self, _: &str, a: [f64; 2]) -> [f64; 2] {
        // Where it is NaN it stays so.
        if a[0] <= 0.0 { [0.0; 2] } else { a }
    }
}

/// The KL's part of the reported loss before beta weighs it, and its slope by the KL: the mean KL, or its distance from the capacity
/// where it is held at one. Several batches have the loss of their mean KL, which is not the mean of their losses.
pub fn cost_of_kl(kl: f64, capacity: Option<f64>) -> [f64; 2] {
    match capacity {
        None => [kl, 1.0],
        Some(capacity) => {
            let [below, above] = distance(&mut Numbers { kl, capacity });
            [below[0] + above[0], below[1] + above[1]]
        }
    }
}

/// The name of what [`Penalty::AtMost`] weighs the KL by.
pub(super) const MULTIPLIER: &str = "kl_multiplier";

fn mean_of_rows(g: &mut Graph, name: &str, of: Node, factor: f32) -> Node {
    let (sum, factor) = (g.reduce(format!("{name} sum"), of, Axis::Rows), g.constant(factor));
    g.map(name, Function::Multiply, &[sum, factor])
}

fn relu(g: &mut Graph, name: &str, of: Node) -> Node {
    g.map(name, Function::Activate(Activation::Relu), &[of])
}

/// `-ln p(x, z) / q(z | x)` of the weights of draws, in groups: `-ln 1/K sum of weights`, of which the mean over the groups is the
/// loss; and a share of the ELBO.
fn importance_weighted(g: &mut Graph, of: Importance, encoded: &Encoded, recon: Node, batch: usize) -> Losses {
    let Importance { samples, groups, elbo_share, is_doubly } = of;
    let mean_recon = layers::mean_of_columns(g, "recon_of_rows", recon, batch, 1.0);
    let (Some(ratio), Some(kl)) = (encoded.log_ratio(g, is_doubly), encoded.kl()) else {
        // Without noise there is one draw, and no bound.
        let weight = g.constant(1.0 / batch as f32);
        return Losses { losses: vec![(recon, weight)], recon: mean_recon, ..Losses::plain(recon) };
    };
    let minus_recon = g.negative("log_likelihood", recon);
    let log_weights = g.sum_of("log_weights", minus_recon, ratio);
    let sums = g.log_sum_exp("log_sums", log_weights, samples / groups);
    let rest = 1.0 - elbo_share;
    let weight = g.constant(-rest / (batch * groups) as f32);
    let mut losses = vec![(sums, weight)];
    // The logarithm of the mean is that of the sum less that of the number.
    let mean = layers::mean_of_columns(g, "bound", sums, batch, -rest);
    let number = g.constant(rest * ((samples / groups) as f32).ln());
    let mut loss = g.sum_of("loss_of_rows", mean, number);
    if elbo_share > 0.0 {
        losses.push((recon, g.constant(elbo_share / (batch * samples) as f32)));
        losses.push((kl, g.constant(elbo_share / batch as f32)));
        let share = g.constant(elbo_share);
        let elbo = g.sum_of("negative_elbo", mean_recon, kl);
        let elbo = g.map("share_of_elbo", Function::Multiply, &[elbo, share]);
        loss = g.sum_of("loss_of_rows", loss, elbo);
    }
    Losses { losses, recon: mean_recon, loss: Some(loss), constants: Vec::new(), weights: Some([log_weights, sums]) }
}

impl Losses {
    /// The reconstruction alone.
    pub fn plain(recon: Node) -> Self {
        Self { losses: Vec::new(), recon, loss: None, constants: Vec::new(), weights: None }
    }

    /// The gradients of the losses by parameters.
    pub fn gradients(&self, g: &mut Graph, spec: &VaeSpec, encoded: &Encoded, params: &[Node]) -> Vec<Option<Node>> {
        match self.weights.filter(|_| spec.importance.is_doubly) {
            None => gradients(g, &self.losses, params),
            Some(weights) => self.doubly_reparameterised(g, weights, encoded, params),
        }
    }

    /// Tucker et al. (2019): the encoder learns through the draws alone, each weighed by the square of its share of the weights. What
    /// the draws depend on is the encoder; everything else learns as it does without.
    fn doubly_reparameterised(
        &self,
        g: &mut Graph,
        [log_weights, sums]: [Node; 2],
        encoded: &Encoded,
        params: &[Node],
    ) -> Vec<Option<Node>> {
        let z = encoded.z;
        let encoder = g.ancestors(z);
        let (of_encoder, others): (Vec<Node>, Vec<Node>) = params.iter().partition(|param| encoder.contains(param));
        let wanted = [others.as_slice(), &[z]].concat();
        let mut found = gradients(g, &self.losses, &wanted);
        let mut of_params: std::collections::HashMap<Node, Node> = std::collections::HashMap::new();
        if let Some(d_z) = found.pop().flatten() {
            let shares = g.shares(log_weights, sums);
            let again = g.map("d_z doubly", Function::Multiply, &[d_z, shares]);
            let through = gradients(g, &[(z, again)], &of_encoder);
            of_params.extend(of_encoder.iter().zip(through).filter_map(|(param, d)| Some((*param, d?))));
        }
        of_params.extend(others.iter().zip(found).filter_map(|(param, d)| Some((*param, d?))));
        params.iter().map(|param| of_params.get(param).copied()).collect()
    }
}
