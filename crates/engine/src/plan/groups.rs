//! What trains in a program: its arenas, and groups of parameters with an optimiser each.

use super::{ScalarId, TensorId};

/// Where the parameters of a program lie, and what belongs to each of them; `(L)` all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Arenas {
    /// The parameters.
    pub weights: TensorId,
    /// The gradients of the weights.
    pub gradients: TensorId,
    /// The moments of the optimisers, as many as there are.
    pub moments: Vec<TensorId>,
}

/// Parameters that one optimiser updates.
#[derive(Debug, Clone, PartialEq)]
pub struct Group {
    /// The name of the group.
    pub name: String,
    /// The first of three scalars: its learning rate, and the corrections of [`Group::corrections`].
    pub rate: ScalarId,
    /// Adam's decays of both moments.
    pub decays: Option<[f32; 2]>,
    /// `(1)`: what its gradients are multiplied by; starts at 1.
    pub scale: TensorId,
}

impl Group {
    /// Adam's corrections of its step number `count`, from 1: `1 / (1 - beta1^t)` and `1 / sqrt(1 - beta2^t)`.
    pub fn corrections(&self, count: u64) -> [f32; 2] {
        self.decays.map_or([1.0; 2], |decays| corrections(decays, count))
    }

    /// The scalars of the corrections.
    pub fn correction_scalars(&self) -> [ScalarId; 2] {
        [1, 2].map(|next| ScalarId(self.rate.0 + next))
    }
}

/// Adam's corrections of step number `count`, from 1: `1 / (1 - beta1^t)` and `1 / sqrt(1 - beta2^t)`.
pub fn corrections([beta1, beta2]: [f32; 2], count: u64) -> [f32; 2] {
    let left = |beta: f32| 1.0 - f64::from(beta).powf(count as f64);
    [(1.0 / left(beta1)) as f32, (1.0 / left(beta2).sqrt()) as f32]
}
