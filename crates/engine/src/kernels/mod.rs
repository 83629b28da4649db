//! The host side of each shader family, under the same stem as its shader and its oracle: the uniform `Params`,
//! and op constructors that check shapes.

pub mod attention;
pub mod batch;
pub mod cross_entropy;
pub mod embed;
pub mod gemm;
pub mod log_sum_exp;
pub mod map;
pub mod norm;
pub mod optimizer;
pub mod pointwise;
pub mod pool;
pub mod recurrent;
pub mod reduce;
pub mod rng;
pub mod roof;
pub mod softmax;

pub use crate::plan::Activation;
use crate::plan::{ParamsBlock, PlanError, TensorTable};
pub use pointwise::Body;

/// Defines a uniform struct whose names and offsets are compared with the shader's when a plan is compiled.
macro_rules! params {
    ($(#[$doc:meta])* pub struct $name:ident { $($(#[$field_doc:meta])* $field:ident: $type:ty,)* }) => {
        $(#[$doc])*
        #[repr(C)]
        #[derive(Debug, Clone, Copy, PartialEq, bytemuck::Pod, bytemuck::Zeroable)]
        pub struct $name { $($(#[$field_doc])* pub $field: $type,)* }

        impl $name {
            const FIELDS: &[$crate::plan::Field] = &[
                $($crate::plan::Field::of(stringify!($field), std::mem::offset_of!($name, $field)),)*
            ];

            /// The struct in the form that an op holds.
            pub fn block(&self) -> $crate::plan::ParamsBlock {
                $crate::plan::ParamsBlock { fields: Self::FIELDS, bytes: bytemuck::bytes_of(self).to_vec() }
            }

            /// The struct an op carries.
            pub fn of(op: &$crate::plan::Op) -> Self {
                $crate::kernels::read_block(op.params.as_ref())
            }
        }
    };
}
pub(crate) use params;

/// Reads an op's uniform back; all zeros if the op has none, which no constructor allows.
pub(crate) fn read_block<P: bytemuck::Pod>(block: Option<&ParamsBlock>) -> P {
    block.and_then(|b| bytemuck::try_pod_read_unaligned(&b.bytes).ok()).unwrap_or_else(P::zeroed)
}

/// Checks that 32-bit indices can reach this many elements.
pub(crate) fn index_fits(op: &str, elements: usize) -> Result<u32, PlanError> {
    u32::try_from(elements).map_err(|_| PlanError::TooLarge { op: op.to_string(), elements })
}

/// Checks shapes of several tensors at once.
pub(crate) fn expect_all(
    tensors: &TensorTable,
    op: &str,
    shapes: &[(crate::plan::TensorId, &[usize])],
) -> Result<(), PlanError> {
    for (tensor, shape) in shapes {
        tensors.expect(op, *tensor, shape)?;
    }
    Ok(())
}
