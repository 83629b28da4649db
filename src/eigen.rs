//! Eigenvalues and eigenvectors of symmetric matrices.

/// Largest number of Jacobi sweeps. Iteration stops when a sweep changes nothing, which was always earlier.
const MAX_SWEEPS: usize = 60;

/// Jacobi eigenvalue algorithm: leaves the eigenvalues on the diagonal and returns the eigenvectors as columns.
pub fn diagonalise(matrix: &mut [f64], dims: usize) -> Vec<f64> {
    let mut vectors = vec![0.0; dims * dims];
    (0..dims).for_each(|i| vectors[i * dims + i] = 1.0);
    let size = matrix.iter().map(|v| v * v).sum::<f64>().sqrt();
    let negligible = size / dims as f64 * 1e-14;
    for _ in 0..MAX_SWEEPS {
        let mut is_done = true;
        for p in 0..dims {
            for q in p + 1..dims {
                let off = matrix[p * dims + q];
                if off.abs() <= negligible {
                    continue;
                }
                is_done = false;
                let theta = (matrix[q * dims + q] - matrix[p * dims + p]) / (2.0 * off);
                let tangent = theta.signum() / (theta.abs() + theta.hypot(1.0));
                let cosine = 1.0 / tangent.hypot(1.0);
                let sine = tangent * cosine;
                let turn = |a: &mut f64, b: &mut f64| (*a, *b) = (cosine * *a - sine * *b, sine * *a + cosine * *b);
                for k in 0..dims {
                    let (mut a, mut b) = (matrix[k * dims + p], matrix[k * dims + q]);
                    turn(&mut a, &mut b);
                    (matrix[k * dims + p], matrix[k * dims + q]) = (a, b);
                    let (mut a, mut b) = (vectors[k * dims + p], vectors[k * dims + q]);
                    turn(&mut a, &mut b);
                    (vectors[k * dims + p], vectors[k * dims + q]) = (a, b);
                }
                for k in 0..dims {
                    let (mut a, mut b) = (matrix[p * dims + k], matrix[q * dims + k]);
                    turn(&mut a, &mut b);
                    (matrix[p * dims + k], matrix[q * dims + k]) = (a, b);
                }
            }
        }
        if is_done {
            break;
        }
    }
    vectors
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_and_vectors_are_those_of_the_matrix() {
        let dims = 40;
        let entry = |i: usize, j: usize| ((i * j) as f64 * 0.7).sin() + if i == j { i as f64 * 0.3 } else { 0.0 };
        let whole: Vec<f64> = (0..dims * dims).map(|k| entry(k / dims, k % dims)).collect();
        let mut diagonal = whole.clone();
        let vectors = diagonalise(&mut diagonal, dims);
        for column in 0..dims {
            let value = diagonal[column * dims + column];
            for row in 0..dims {
                let product: f64 = (0..dims).map(|k| whole[row * dims + k] * vectors[k * dims + column]).sum();
                assert!((product - value * vectors[row * dims + column]).abs() < 1e-10, "{row}, {column}");
            }
            let length: f64 = (0..dims).map(|k| vectors[k * dims + column].powi(2)).sum();
            assert!((length - 1.0).abs() < 1e-12, "{column}: {length}");
        }
    }
}
