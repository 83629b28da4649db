//! One part of a mixture: a normal distribution, and the coefficients that its logarithm has.

/// The code of a row: the mean and the variances that the encoder gives it.
#[derive(Debug, Clone, PartialEq)]
pub struct Code {
    pub mean: Vec<f32>,
    pub variances: Vec<f32>,
}

/// The form of a part's covariance: which products of a code's numbers the part has means of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CovarianceForm {
    /// Latent dimensions.
    pub latent: usize,
    /// All of two; else only squares, where there are too many.
    pub is_full: bool,
}

/// The most dimensions that get whole covariances.
const MAX_FULL: usize = 64;

impl CovarianceForm {
    pub fn of(latent: usize) -> Self {
        Self { latent, is_full: latent <= MAX_FULL }
    }

    /// Numbers of a covariance.
    pub fn covariance(self) -> usize {
        if self.is_full { self.latent * self.latent } else { self.latent }
    }

    /// Features of a code: 1, its numbers, products of two, and zeros up to a multiple of four, in which devices load rows.
    pub fn features(self) -> usize {
        let products = if self.is_full { self.latent * (self.latent + 1) / 2 } else { self.latent };
        (1 + self.latent + products).next_multiple_of(4)
    }

    /// The pairs of dimensions that products are of, in order.
    fn pairs(self) -> impl Iterator<Item = (usize, usize)> {
        (0..self.latent).flat_map(move |i| (i..if self.is_full { self.latent } else { i + 1 }).map(move |j| (i, j)))
    }

    /// Where the covariance of two dimensions lies.
    fn place(self, (i, j): (usize, usize)) -> usize {
        if self.is_full { i * self.latent + j } else { i }
    }

    /// Adds the means of the features of a code with this mean and these variances.
    pub fn write(self, code: &Code, to: &mut Vec<f32>) {
        let end = to.len() + self.features();
        to.push(1.0);
        to.extend(&code.mean);
        let product = |(i, j): (usize, usize)| {
            let own = if i == j { code.variances[i] } else { 0.0 };
            code.mean[i] * code.mean[j] + own
        };
        to.extend(self.pairs().map(product));
        to.resize(end, 0.0);
    }
}

/// A normal distribution, and its share.
#[derive(Debug, Clone, PartialEq)]
pub struct Normal {
    pub weight: f64,
    /// `(Z)`
    pub mean: Vec<f64>,
    /// `(Z, Z)`, or its diagonal `(Z)`.
    pub covariance: Vec<f64>,
}

impl Normal {
    /// Computes a part from sums of features over rows, each row weighted by its share in the part; none where there is
    /// less than a row.
    pub fn of(sums: &[f64], all: f64, form: CovarianceForm) -> Option<Self> {
        let count = sums[0];
        if count < 1.0 {
            return None;
        }
        let mean: Vec<f64> = sums[1..=form.latent].iter().map(|sum| sum / count).collect();
        let mut covariance = vec![0.0; form.covariance()];
        for (sum, (i, j)) in sums[1 + form.latent..].iter().zip(form.pairs()) {
            let value = sum / count - mean[i] * mean[j];
            covariance[form.place((i, j))] = value;
            covariance[form.place((j, i))] = value;
        }
        Some(Self { weight: count / all, mean, covariance })
    }

    /// `(F)`: the coefficients of the features whose sum is the logarithm of its share and density.
    pub fn coefficients(&self, form: CovarianceForm) -> Vec<f64> {
        let n = form.latent;
        let mut precision = vec![0.0; form.covariance()];
        let mut log_det = 0.0;
        if form.is_full {
            let lower = cholesky(&self.covariance, n);
            let inverse = inverse_of_lower(&lower, n);
            for i in 0..n {
                log_det += 2.0 * lower[i * n + i].ln();
                for j in 0..n {
                    precision[i * n + j] = (i.max(j)..n).map(|k| inverse[k * n + i] * inverse[k * n + j]).sum();
                }
            }
        } else {
            for (precision, variance) in precision.iter_mut().zip(&self.covariance) {
                *precision = 1.0 / variance;
                log_det += variance.ln();
            }
        }
        let linear: Vec<f64> = match form.is_full {
            true => (0..n).map(|i| (0..n).map(|j| precision[i * n + j] * self.mean[j]).sum()).collect(),
            false => precision.iter().zip(&self.mean).map(|(p, m)| p * m).collect(),
        };
        let square: f64 = linear.iter().zip(&self.mean).map(|(l, m)| l * m).sum();
        let log_norm = n as f64 * (2.0 * std::f64::consts::PI).ln();
        let mut all = vec![self.weight.max(1e-30).ln() - 0.5 * (square + log_det + log_norm)];
        all.extend(&linear);
        all.extend(form.pairs().map(|(i, j)| if i == j { -0.5 } else { -1.0 } * precision[form.place((i, j))]));
        all.resize(form.features(), 0.0);
        all
    }

    /// `(Z, Z)`: the lower triangle whose product with its transpose is the covariance; of a diagonal one its roots.
    pub fn factor(&self, form: CovarianceForm) -> Vec<f64> {
        match form.is_full {
            true => cholesky(&self.covariance, form.latent),
            false => self.covariance.iter().map(|variance| variance.max(0.0).sqrt()).collect(),
        }
    }
}

/// The lower triangle of a symmetric matrix `(n, n)`. Where rounding leaves a pivot of nothing, a small one takes its place.
fn cholesky(a: &[f64], n: usize) -> Vec<f64> {
    let mut lower = vec![0.0; n * n];
    for i in 0..n {
        for j in 0..=i {
            let rest = a[i * n + j] - (0..j).map(|k| lower[i * n + k] * lower[j * n + k]).sum::<f64>();
            lower[i * n + j] = match i == j {
                true => rest.max(1e-12).sqrt(),
                false => rest / lower[j * n + j],
            };
        }
    }
    lower
}

fn inverse_of_lower(lower: &[f64], n: usize) -> Vec<f64> {
    let mut inverse = vec![0.0; n * n];
    for j in 0..n {
        for i in j..n {
            let rest = (j..i).map(|k| lower[i * n + k] * inverse[k * n + j]).sum::<f64>();
            inverse[i * n + j] = (f64::from(u8::from(i == j)) - rest) / lower[i * n + i];
        }
    }
    inverse
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn coefficients_are_those_of_the_density() {
        let normal = Normal { weight: 0.25, mean: vec![1.0, -2.0], covariance: vec![2.0, 0.6, 0.6, 0.5] };
        let form = CovarianceForm { latent: 2, is_full: true };
        let z = [0.3_f32, -1.1];
        let code = Code { mean: z.to_vec(), variances: vec![0.0; 2] };
        let mut features = Vec::new();
        form.write(&code, &mut features);
        let found: f64 = normal.coefficients(form).iter().zip(&features).map(|(c, f)| c * f64::from(*f)).sum();
        // The expected value is computed with the inverse of the matrix of two by two.
        let det = 2.0 * 0.5 - 0.6 * 0.6;
        let [x, y] = [f64::from(z[0]) - 1.0, f64::from(z[1]) + 2.0];
        let square = (0.5 * x * x - 1.2 * x * y + 2.0 * y * y) / det;
        let expected = 0.25_f64.ln() - 0.5 * (square + f64::ln(det) + 2.0 * (2.0 * std::f64::consts::PI).ln());
        assert!((found - expected).abs() < 1e-6, "{found}, not {expected}");
        let lower = normal.factor(form);
        assert!((lower[2] * lower[0] - 0.6).abs() < 1e-12 && lower[1] == 0.0);

        // A diagonal matrix gives the same as a whole one without covariances.
        let of = |covariance: Vec<f64>, is_full: bool| {
            let form = CovarianceForm { latent: 2, is_full };
            let normal = Normal { weight: 1.0, mean: vec![1.0, -2.0], covariance };
            let mut features = Vec::new();
            form.write(&code, &mut features);
            normal.coefficients(form).iter().zip(&features).map(|(c, f)| c * f64::from(*f)).sum::<f64>()
        };
        assert!((of(vec![2.0, 0.0, 0.0, 0.5], true) - of(vec![2.0, 0.5], false)).abs() < 1e-6);
    }
}
