//! The aggregate posterior, the mixture of what the encoder says of all rows: how much its draws tell of rows, and how far its
//! dimensions are from independent and from the prior. Each draw is compared with every row, not with those of a batch.

use serde::Serialize;
use wgvae_engine::graph::Graph;
use wgvae_engine::plan::{LOGVAR_RANGE, StepScalars};
use wgvae_engine::session::{InputHandle, OutputHandle, PlanHandle, PlanSpec, Session, SessionSpec};

use super::evaluation::mean;
use super::importance::Weights;
use super::{Codes, PriorMixture, RunError, draws};
use crate::model::aggregate;
use crate::train::DeviceOptions;

/// Densities that are computed at a time.
const DENSITIES: usize = 1 << 21;
/// The logarithm of nothing.
const NOTHING: f32 = -1e30;

/// The parts of the KL divergence (Hoffman and Johnson, 2016; Chen et al., 2018), in nats: means over the rows, and their standard
/// errors. The mutual information and the KL of the aggregate are the KL divergence, up to the noise of the draws.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Aggregate {
    /// `E ln q(z | x) - ln q(z)`: what a code tells of which row it is of. At most the logarithm of the number of rows.
    pub mutual_information: f64,
    /// The standard error of the mutual information.
    pub mutual_information_standard_error: f64,
    /// `E ln q(z) - sum of ln q(z_d)`: what the dimensions tell of each other.
    pub total_correlation: f64,
    /// The standard error of the total correlation.
    pub total_correlation_standard_error: f64,
    /// `E sum of ln q(z_d) - ln p(z_d)`: how far each dimension is from the prior; none where the prior has parts, which are not of
    /// dimensions.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dimension_wise_kl: Option<f64>,
    /// The standard error of the dimension-wise KL.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dimension_wise_kl_standard_error: Option<f64>,
    /// `E ln q(z) - ln p(z)`: how far the aggregate is from the prior, the sum of the total correlation and the
    /// dimension-wise KL.
    pub aggregate_kl: f64,
    /// The standard error of the KL of the aggregate.
    pub aggregate_kl_standard_error: f64,
}

impl Aggregate {
    /// Computes the parts for codes that have variances, with a draw of each.
    pub fn of(codes: &Codes, prior: &PriorMixture, device: &DeviceOptions, seed: u64) -> Result<Self, RunError> {
        if codes.logvar.is_empty() {
            return Err(RunError::Unfit("the codes of a plain autoencoder are no distributions".into()));
        }
        let z = draws::around(codes, seed, 1.0);
        let (log_q, log_q_of_dimensions) = log_densities(&z, codes, device)?;
        let latent = codes.latent;
        let log_two_pi = (2.0 * std::f64::consts::PI).ln();
        let mut parts = [const { Vec::new() }; 4];
        for (row, of_draw) in z.chunks_exact(latent).enumerate() {
            let span = row * latent..(row + 1) * latent;
            let of_row = codes.mu[span.clone()].iter().zip(&codes.logvar[span.clone()]);
            let mut of_code = 0.0;
            for (z, (mu, logvar)) in of_draw.iter().zip(of_row) {
                let (z, mu) = (f64::from(*z), f64::from(*mu));
                let logvar = f64::from(logvar.clamp(LOGVAR_RANGE.0, LOGVAR_RANGE.1));
                of_code -= 0.5 * ((z - mu).powi(2) / logvar.exp() + logvar + log_two_pi);
            }
            let of_prior = prior.log_density(of_draw);
            let product: f64 = log_q_of_dimensions[span].iter().sum();
            for (part, value) in parts.iter_mut().zip([
                of_code - log_q[row],
                log_q[row] - product,
                product - of_prior,
                log_q[row] - of_prior,
            ]) {
                part.push(value);
            }
        }
        let [information, correlation, dimensions, aggregate] = parts.map(|part| mean(part.into_iter()));
        Ok(Self {
            mutual_information: information.0,
            mutual_information_standard_error: information.1,
            total_correlation: correlation.0,
            total_correlation_standard_error: correlation.1,
            dimension_wise_kl: prior.has_dimensions().then_some(dimensions.0),
            dimension_wise_kl_standard_error: prior.has_dimensions().then_some(dimensions.1),
            aggregate_kl: aggregate.0,
            aggregate_kl_standard_error: aggregate.1,
        })
    }
}

/// `ln q(z)` of each draw `z (N, Z)` under all codes, and of its dimensions `(N, Z)`.
fn log_densities(z: &[f32], codes: &Codes, device: &DeviceOptions) -> Result<(Vec<f64>, Vec<f64>), RunError> {
    let (latent, rows) = (codes.latent, codes.rows());
    let most = ((DENSITIES / latent) as f64).sqrt() as usize;
    let mut step = Step::new(rows.clamp(1, most.max(1)), latent, device)?;
    let (mut joint, mut single) = (Vec::with_capacity(rows), Vec::with_capacity(rows * latent));
    for some in z.chunks(step.rows * latent) {
        let count = some.len() / latent;
        step.write(step.z, some)?;
        let mut of_rows = vec![Weights::default(); count];
        let mut of_dimensions = vec![Weights::default(); count * latent];
        for (mu, logvar) in codes.mu.chunks(step.rows * latent).zip(codes.logvar.chunks(step.rows * latent)) {
            let [log_q, log_q_of_dimensions] = step.run([mu, logvar])?;
            of_rows.iter_mut().zip(log_q).for_each(|(sum, value)| sum.add(Weights::one(value.into())));
            of_dimensions
                .iter_mut()
                .zip(log_q_of_dimensions)
                .for_each(|(sum, value)| sum.add(Weights::one(value.into())));
        }
        let less = (rows as f64).ln();
        joint.extend(of_rows.into_iter().map(|sum| sum.log_sum() - less));
        single.extend(of_dimensions.into_iter().map(|sum| sum.log_sum() - less));
    }
    Ok((joint, single))
}

/// Some draws beside as many codes, on the device.
struct Step {
    session: Session,
    plan: PlanHandle,
    /// How many.
    rows: usize,
    latent: usize,
    z: InputHandle,
    codes: [InputHandle; 2],
    weights: InputHandle,
    results: [OutputHandle; 2],
    /// How many codes the weights are for.
    weighed: usize,
}

impl Step {
    fn new(rows: usize, latent: usize, device: &DeviceOptions) -> Result<Self, RunError> {
        let mut g = Graph::default();
        let [z, mu, logvar] = ["z", "mu", "logvar"].map(|name| g.input(name, [rows, latent], false));
        let weights = g.input("pair_weights", [rows * rows, 1], false);
        let made = aggregate(&mut g, z, [mu, logvar], Some(weights));
        let names = ["log_q", "log_q_of_dimensions"];
        let outputs = made.into_iter().zip(names).map(|(node, name)| g.named(node, name)).collect();
        let inputs = vec![z, mu, logvar, weights];
        let plan = PlanSpec { name: "aggregate".into(), graph: g, inputs, outputs, ..PlanSpec::default() };
        let session = device.session(&SessionSpec { plans: vec![plan], ..SessionSpec::default() }, 0)?;
        Ok(Self {
            plan: session.plan("aggregate")?,
            rows,
            latent,
            z: session.input("z")?,
            codes: [session.input("mu")?, session.input("logvar")?],
            weights: session.input("pair_weights")?,
            results: [session.output(names[0])?, session.output(names[1])?],
            weighed: 0,
            session,
        })
    }

    /// Writes rows `(n, Z)`, and zeros behind them.
    fn write(&mut self, to: InputHandle, values: &[f32]) -> Result<(), RunError> {
        let mut whole = values.to_vec();
        whole.resize(self.rows * self.latent, 0.0);
        Ok(self.session.set(to, &whole)?)
    }

    /// Logarithms of sums over some codes, as many as there is room for or fewer.
    fn run(&mut self, codes: [&[f32]; 2]) -> Result<[Vec<f32>; 2], RunError> {
        let count = codes[0].len() / self.latent;
        if self.weighed != count {
            let of_draw = (0..self.rows).map(|code| if code < count { 0.0 } else { NOTHING });
            let weights: Vec<f32> = std::iter::repeat_n(of_draw, self.rows).flatten().collect();
            self.session.set(self.weights, &weights)?;
            self.weighed = count;
        }
        for (to, values) in self.codes.into_iter().zip(codes) {
            self.write(to, values)?;
        }
        self.session.run(self.plan, &[StepScalars::default()])?;
        let [first, second] = self.results;
        Ok([self.session.get(first)?, self.session.get(second)?])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use wgvae_engine::exec::DeviceChoice;

    fn device() -> DeviceOptions {
        DeviceOptions { device: DeviceChoice::Cpu, ..DeviceOptions::default() }
    }

    fn codes(rows: usize, latent: usize) -> Codes {
        let mu = draws::prior(rows, latent, 3, 1.5);
        let logvar = draws::prior(rows, latent, 4, 1.0).iter().map(|x| x - 2.0).collect();
        Codes { latent, mu, logvar }
    }

    #[test]
    fn densities_are_those_of_plain_loops() {
        // More rows than go at a time, and a rest.
        for (rows, latent) in [(1, 1), (37, 3), (330, 40)] {
            let codes = codes(rows, latent);
            let z = draws::around(&codes, 5, 1.0);
            let (joint, single) = log_densities(&z, &codes, &device()).unwrap();
            for row in (0..rows).step_by(7) {
                let of_dimension = |code: usize, d: usize| {
                    let (z, mu) = (f64::from(z[row * latent + d]), f64::from(codes.mu[code * latent + d]));
                    let logvar = f64::from(codes.logvar[code * latent + d]);
                    -0.5 * ((z - mu).powi(2) / logvar.exp() + logvar + (2.0 * std::f64::consts::PI).ln())
                };
                let mean = |of: &dyn Fn(usize) -> f64| ((0..rows).map(|c| of(c).exp()).sum::<f64>() / rows as f64).ln();
                let expected = mean(&|code| (0..latent).map(|d| of_dimension(code, d)).sum());
                assert!((joint[row] - expected).abs() < 1e-4 * expected.abs().max(1.0), "{} {expected}", joint[row]);
                for d in 0..latent {
                    let expected = mean(&|code| of_dimension(code, d));
                    let found = single[row * latent + d];
                    assert!((found - expected).abs() < 1e-4 * expected.abs().max(1.0), "{found} {expected}");
                }
            }
        }
    }

    #[test]
    fn the_parts_are_what_they_should_be() {
        // Two far corners of the plane, rows spread evenly: a code tells which of two rows' kinds it is of, and one dimension all of
        // the other.
        let rows = 600;
        let mu: Vec<f32> = (0..rows).flat_map(|row| if row % 2 == 0 { [4.0, -4.0] } else { [-4.0, 4.0] }).collect();
        let codes = Codes { latent: 2, mu, logvar: vec![0.0; 2 * rows] };
        let parts = Aggregate::of(&codes, &PriorMixture::standard(2), &device(), 1).unwrap();
        let one_bit = std::f64::consts::LN_2;
        assert!((parts.mutual_information - one_bit).abs() < 0.01, "{parts:?}");
        assert!((parts.total_correlation - one_bit).abs() < 0.01, "{parts:?}");
        // The sum of the parts is the KL: half of the squares of the means.
        let sum = parts.mutual_information + parts.total_correlation + parts.dimension_wise_kl.unwrap();
        assert!((sum - 16.0).abs() < 5.0 * parts.aggregate_kl_standard_error, "{parts:?}");
        assert!((sum - parts.mutual_information - parts.aggregate_kl).abs() < 1e-9, "{parts:?}");
        // Where all codes are the prior, there is nothing to tell.
        let nothing = Codes { latent: 2, mu: vec![0.0; 200], logvar: vec![0.0; 200] };
        let parts = Aggregate::of(&nothing, &PriorMixture::standard(2), &device(), 1).unwrap();
        let all = [parts.mutual_information, parts.total_correlation, parts.aggregate_kl];
        assert!(all.iter().all(|part| part.abs() < 1e-5), "{parts:?}");
        assert!(
            Aggregate::of(
                &Codes { latent: 1, mu: vec![0.0], logvar: vec![] },
                &PriorMixture::standard(1),
                &device(),
                1
            )
            .is_err()
        );
    }
}
