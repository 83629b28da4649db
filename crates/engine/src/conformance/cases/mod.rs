//! The registry: the cases of all families in one list.

mod attention;
mod batch;
mod cross_entropy;
mod embed;
mod gemm;
mod gemm_windows;
mod log_sum_exp;
mod map;
mod norm;
mod optimizer;
mod pool;
mod recurrent;
mod reduce;
mod rng;
mod roof;
mod softmax;

use super::case::Case;

/// Every family's cases.
pub fn cases() -> Vec<Case> {
    [
        attention::cases,
        batch::cases,
        cross_entropy::cases,
        embed::cases,
        gemm::cases,
        gemm_windows::cases,
        log_sum_exp::cases,
        map::cases,
        norm::cases,
        optimizer::cases,
        pool::cases,
        recurrent::cases,
        reduce::cases,
        rng::cases,
        roof::cases,
        softmax::cases,
    ]
    .into_iter()
    .flat_map(|family: fn() -> Vec<Case>| family())
    .collect()
}
