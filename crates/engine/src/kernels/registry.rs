//! The case registry: the cases of all families in one list.

use super::case::Case;

/// Every family's cases.
pub fn cases() -> Vec<Case> {
    [
        super::batch::cases,
        super::gemm::cases,
        super::log_sum_exp::cases,
        super::map::cases,
        super::norm::cases,
        super::optimizer::cases,
        super::pool::cases,
        super::reduce::cases,
        super::rng::cases,
        super::roof::cases,
        super::softmax::cases,
    ]
    .into_iter()
    .flat_map(|family| family())
    .collect()
}
