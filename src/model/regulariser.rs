//! What the codes of a batch cost together: total correlation, covariances, discrepancy from the prior.

use wgvae_engine::graph::{Axis, Graph, Node};
use wgvae_engine::plan::{Function, Orientation};

use super::spec::Regulariser;

/// An input that the host writes once.
pub(super) struct Constant {
    pub name: &'static str,
    /// Rows and columns.
    pub shape: [usize; 2],
    pub values: Vec<f32>,
}

/// The constants that a regulariser has, for batches of so many rows and so many latent dimensions.
pub(super) fn constants(regulariser: Regulariser, batch: usize, latent: usize) -> Vec<Constant> {
    match regulariser {
        Regulariser::TotalCorrelation { stratified: Some(rows), .. } => {
            vec![Constant { name: "pair_weights", shape: [batch * batch, 1], values: stratified(batch, rows) }]
        }
        Regulariser::Dip { diagonal, off_diagonal, .. } => {
            let matrix = |on: f32, off: f32| {
                (0..latent * latent).map(|i| if i % (latent + 1) == 0 { on } else { off }).collect::<Vec<f32>>()
            };
            let shape = [latent, latent];
            vec![
                Constant { name: "identity", shape, values: matrix(1.0, 0.0) },
                Constant { name: "covariance_weights", shape, values: matrix(diagonal, off_diagonal) },
            ]
        }
        _ => Vec::new(),
    }
}

/// `ln W (B B)` of Chen et al. (2018), appendix C.2: what each row of a batch stands for beside each, so that the sum over a batch
/// is an estimate of the mean over all rows.
fn stratified(batch: usize, rows: usize) -> Vec<f32> {
    let (n, m) = (rows as f64, batch as f64 - 1.0);
    let itself = 1.0 / n;
    let one = (n - m) / (n * m.max(1.0));
    let others = 1.0 / m.max(1.0);
    let weight = |i: usize, j: usize| match (j + batch - i) % batch {
        0 => itself,
        1 => one,
        _ => others,
    };
    (0..batch).flat_map(|i| (0..batch).map(move |j| weight(i, j).ln() as f32)).collect()
}

/// The draws of the latent: `z`, `mu` and `logvar`, `(B, Z)` each, and draws from the prior `(B, Z)`, if they are
/// needed.
pub(super) struct LatentNodes {
    pub z: Node,
    pub mu: Node,
    pub logvar: Node,
    pub prior: Option<Node>,
}

/// The losses of a regulariser and their weights.
pub(super) fn losses(
    g: &mut Graph,
    regulariser: Regulariser,
    codes: &LatentNodes,
    constants: &[Node],
    batch: usize,
) -> Vec<(Node, Node)> {
    match regulariser {
        Regulariser::None => Vec::new(),
        Regulariser::TotalCorrelation { weight, .. } => {
            let [log_q, of_dimensions] = aggregate(g, codes.z, [codes.mu, codes.logvar], constants.first().copied());
            let of_dimensions = g.reduce("log_q_product", of_dimensions, Axis::Columns);
            let [over, under] = [weight, -weight].map(|weight| g.constant(weight / batch as f32));
            vec![(log_q, over), (of_dimensions, under)]
        }
        Regulariser::Dip { of_draws, .. } => {
            let [identity, weights] = constants else { return Vec::new() };
            let distance = covariance_distance(g, codes, of_draws, [*identity, *weights], batch);
            vec![(distance, g.constant(1.0))]
        }
        Regulariser::Discrepancy { weight } => {
            let Some(prior) = codes.prior else { return Vec::new() };
            let pairs = (batch * batch) as f32;
            let [among, between] = [("z", codes.z), ("prior", prior)].map(|(name, other)| {
                let similarities = similarities(g, name, codes.z, other, batch);
                g.reduce(format!("similarities with {name}"), similarities, Axis::Rows)
            });
            vec![(among, g.constant(weight / pairs)), (between, g.constant(-2.0 * weight / pairs))]
        }
    }
}

/// `(B, C Z)`: each row of `x (B, Z)` C times in a row, to be compared with C others that lie in one row `(1, C Z)`.
fn repeated_in_row(g: &mut Graph, name: &str, x: Node, others: usize) -> Node {
    let [rows, latent] = g.shape(x);
    let repeated = g.repeat(&format!("{name} of pairs"), x, others);
    g.reshape(repeated, [rows, others * latent])
}

fn in_a_row(g: &mut Graph, y: Node) -> Node {
    let [rows, cols] = g.shape(y);
    g.reshape(y, [1, rows * cols])
}

/// Logarithms of sums of the densities of `z (B, Z)` under C codes, `(C, Z)` each: `(B, 1)`, and those of its dimensions `(B, Z)`. The
/// logarithm of each density has a weight `(B C, 1)` added, if there are some.
pub(crate) fn aggregate(g: &mut Graph, z: Node, codes: [Node; 2], weights: Option<Node>) -> [Node; 2] {
    let ([rows, latent], others) = (g.shape(z), g.shape(codes[0])[0]);
    let z = repeated_in_row(g, "z", z, others);
    let [mu, logvar] = codes.map(|node| in_a_row(g, node));
    let densities = g.map("log_densities", Function::LogNormal, &[z, mu, logvar]);
    let of_dimensions = g.reshape(densities, [rows * others, latent]);
    let mut joint = g.reduce("log_joint", of_dimensions, Axis::Columns);
    let mut single = of_dimensions;
    if let Some(weights) = weights {
        joint = g.sum_of("log_joint weighted", joint, weights);
        single = g.sum_of("log_densities weighted", single, weights);
    }
    [("log_q", joint), ("log_q_of_dimensions", single)].map(|(name, of)| g.log_sum_exp(name, of, others))
}

/// `(Z, 1)`: sums over rows of the weighted squares of how far the covariance of a batch's codes is from the identity.
fn covariance_distance(
    g: &mut Graph,
    codes: &LatentNodes,
    of_draws: bool,
    [identity, weights]: [Node; 2],
    batch: usize,
) -> Node {
    let [share, minus_share] = [1.0, -1.0].map(|sign| g.constant(sign / batch as f32));
    let sums = g.reduce("mu sum", codes.mu, Axis::Rows);
    let minus_mean = g.map("minus_mean_mu", Function::Multiply, &[sums, minus_share]);
    let centred = g.sum_of("mu centred", codes.mu, minus_mean);
    let products = g.product("covariance", Orientation::Tn, centred, centred);
    let mut covariance = g.map("covariance of mu", Function::Multiply, &[products, share]);
    if of_draws {
        let variances = g.map("variances", Function::Exp, &[codes.logvar]);
        let sums = g.reduce("variances sum", variances, Axis::Rows);
        let means = g.map("mean_variances", Function::Multiply, &[sums, share]);
        let diagonal = g.map("variances of draws", Function::Multiply, &[identity, means]);
        covariance = g.sum_of("covariance of z", covariance, diagonal);
    }
    let minus_identity = g.negative("minus_identity", identity);
    let far = g.sum_of("covariance less identity", covariance, minus_identity);
    let squares = g.map("squares", Function::Multiply, &[far, far]);
    let weighted = g.map("weighted squares", Function::Multiply, &[squares, weights]);
    g.reduce("covariance distance", weighted, Axis::Columns)
}

/// `(B B, 1)`: `exp(-|x - y|^2 / Z)` of each pair of rows, a normal kernel whose variance is Z / 2.
fn similarities(g: &mut Graph, name: &str, x: Node, y: Node, batch: usize) -> Node {
    let latent = g.shape(x)[1];
    let (x, y) = (repeated_in_row(g, "z", x, batch), in_a_row(g, y));
    let y = g.negative(format!("minus {name}"), y);
    let apart = g.sum_of(format!("z less {name}"), x, y);
    let squares = g.map(format!("squares of z less {name}"), Function::Multiply, &[apart, apart]);
    let squares = g.reshape(squares, [batch * batch, latent]);
    let distances = g.reduce(format!("distances from {name}"), squares, Axis::Columns);
    let factor = g.constant(-1.0 / latent as f32);
    let scaled = g.map(format!("scaled distances from {name}"), Function::Multiply, &[distances, factor]);
    g.map(format!("similarity to {name}"), Function::Exp, &[scaled])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stratified_weights_are_those_of_a_mean() {
        let weights: Vec<f64> = stratified(5, 100).into_iter().map(|w| f64::from(w).exp()).collect();
        // The weights of a row of the matrix sum to 1: the row itself, one that stands for what is left, and the
        // others.
        for row in weights.chunks(5) {
            assert!((row.iter().sum::<f64>() - (1.0 / 100.0 + 96.0 / 400.0 + 3.0 / 4.0)).abs() < 1e-6, "{row:?}");
        }
        assert!((weights[6] - 0.01).abs() < 1e-7 && (weights[7] - 0.24).abs() < 1e-7, "{weights:?}");
    }
}
