//! The plans of a model as indices into its program.

use super::{Apply, Plan};
use crate::plan::PlanId;

impl From<Plan> for PlanId {
    fn from(plan: Plan) -> Self {
        PlanId(plan as usize)
    }
}

impl From<Apply> for PlanId {
    fn from(plan: Apply) -> Self {
        PlanId(plan as usize)
    }
}
