//! The WGSL of ops: rendered from the templates in `shaders/`, for what an adapter can do.

mod attention;
mod embed;
mod gemm;
mod map;
mod pointwise;
mod pool;
mod recurrent;
mod reduce;
mod template;

use crate::kernels::reduce::is_tall;
use crate::plan::{CrossEntropy, Grid, Kernel, Op, Pass, Reduce};
pub use gemm::{GemmVariant, TuningTable, fingerprint};

/// The kind of code that suits an adapter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Target {
    /// A software adapter: vectors of few lanes, cheap registers, expensive loads and barriers.
    Simd,
    /// A software adapter on which a workgroup of 8 lanes is one subgroup with broadcasts, and that has 64-bit words.
    Subgroup,
    /// A software adapter on which a workgroup of 4 lanes is one subgroup with broadcasts.
    Subgroup4,
    /// A GPU: many lanes, shared memory.
    Gpu,
}

impl Target {
    /// Every target.
    pub const ALL: [Target; 4] = [Target::Simd, Target::Subgroup, Target::Subgroup4, Target::Gpu];

    /// Whether it is a software adapter.
    pub fn is_software(self) -> bool {
        self != Target::Gpu
    }

    /// Lanes of a subgroup, where a workgroup can be one.
    pub fn subgroup(self) -> Option<u32> {
        match self {
            Target::Subgroup => Some(8),
            Target::Subgroup4 => Some(4),
            Target::Simd | Target::Gpu => None,
        }
    }

    /// Lanes of a workgroup in every family but gemm and map; a power of two, as the tree sums need.
    ///
    /// On a software adapter a workgroup of one vector makes barriers cheap where a row is summed; where there are
    /// none, eight vectors spread the 0.1 us that lavapipe takes to start a workgroup.
    fn workgroup(self, grid: Grid) -> u32 {
        match (self, grid) {
            (Target::Simd | Target::Subgroup, Grid::Rows(_) | Grid::Single) => 8,
            (Target::Subgroup4, Grid::Rows(_) | Grid::Single) => 4,
            _ => 64,
        }
    }

    /// The WGSL file with the type that products load four neighbouring floats as.
    fn quad_library(self) -> &'static str {
        match self {
            Target::Subgroup => include_str!("../../../../shaders/quads_in_pairs.wgsl"),
            _ => QUADS,
        }
    }

    /// Elements per invocation, for kernels that support several: on a software adapter reading a uniform costs as much
    /// as loading an element.
    fn elements_per_invocation(self) -> u32 {
        if self.is_software() { 16 } else { 1 }
    }
}

/// The limits that an adapter sets for kernels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Capabilities {
    /// The kind of code that suits it.
    pub target: Target,
    /// Largest number of invocations per workgroup.
    pub invocations: u32,
    /// Largest number of bytes of shared memory per workgroup.
    pub shared_bytes: u32,
    /// Largest number of workgroups in one dimension of a grid.
    pub workgroups: u32,
    /// Cores that run workgroups, where that is known: those of the processor, for a software adapter.
    pub cores: u32,
    /// Whether neighbouring lanes load four floats each as whole vectors, which the code for subgroups of 8 does not expect.
    pub whole_quads: bool,
}

/// WebGPU's default limits.
impl From<Target> for Capabilities {
    fn from(target: Target) -> Self {
        Self { target, invocations: 256, shared_bytes: 16_384, workgroups: 65_535, cores: 2, whole_quads: false }
    }
}

impl Capabilities {
    /// The WGSL file with the type that a kernel over whole arrays loads four neighbouring floats as.
    fn quad_library(self) -> &'static str {
        if self.whole_quads { QUADS } else { self.target.quad_library() }
    }

    /// Folds `groups` workgroups into x and y if one dimension cannot hold them; the shaders compute the linear number.
    fn fold(self, groups: u64) -> [u64; 3] {
        let x = groups.clamp(1, self.workgroups.into());
        [x, groups.div_ceil(x).max(1), 1]
    }
}

/// One pass of a kernel's WGSL.
#[derive(Debug, Clone, PartialEq)]
pub struct Source {
    /// A name that distinguishes it from other variants of the kernel; also the name of the pipeline.
    pub variant: String,
    /// The WGSL.
    pub text: String,
    /// Pipeline-overridable constants.
    pub constants: Vec<(&'static str, f64)>,
    /// Workgroups in x, y and z.
    pub groups: [u64; 3],
    /// Floats of the buffer `partial` that passes of an op share.
    pub scratch: usize,
}

impl Default for Source {
    fn default() -> Self {
        Self { variant: String::new(), text: String::new(), constants: Vec::new(), groups: [1; 3], scratch: 0 }
    }
}

const CROSS_ENTROPY: &str = include_str!("../../../../shaders/cross_entropy.wgsl");
const RNG: &str = include_str!("../../../../shaders/rng.wgsl");
const QUADS: &str = include_str!("../../../../shaders/quads.wgsl");
const STEP: &str = include_str!("../../../../shaders/step.wgsl");
const STEP_BINDING: &str = "@group(0) @binding(6) var<uniform> step: Step;\n";
const TREE: &str = include_str!("../../../../shaders/tree.wgsl");

/// The WGSL an op needs on an adapter: one pass, or for a split product two that run one after the other.
pub fn sources(op: &Op, on: impl Into<Capabilities>, tuning: &TuningTable) -> Vec<Source> {
    let on = on.into();
    let text = match &op.kernel {
        Kernel::Gemm(gemm) => return gemm::sources(op, gemm, tuning.variant(op, on), on),
        Kernel::Attention(kernel) => return vec![attention::source(op, *kernel, on)],
        Kernel::Embed(pass) => return vec![embed::source(op, *pass, on)],
        Kernel::Map(program) => return vec![map::source(op, program, on)],
        Kernel::Pool(pool) => return vec![pool::source(op, pool, on)],
        Kernel::Recurrent(kernel) => return vec![recurrent::source(op, *kernel, on)],
        Kernel::Reduce(Reduce::Columns) if is_tall(op) => return reduce::tall_columns(op, on),
        Kernel::Batch(..) => [STEP, RNG, include_str!("../../../../shaders/batch.wgsl")].join("\n"),
        Kernel::CrossEntropy(of @ CrossEntropy { pass: Pass::Backward, wide, .. }) => {
            let d = of.d().map_or_else(String::new, |d| format!("{d:?}f"));
            let context = minijinja::context! { each => d.is_empty(), d, wide };
            [CROSS_ENTROPY, &template::render("cross_entropy_back.wgsl", context)].join("\n")
        }
        Kernel::CrossEntropy(_) => CROSS_ENTROPY.to_string(),
        Kernel::Norm(..) => [TREE, include_str!("../../../../shaders/norm.wgsl")].join("\n"),
        Kernel::LogSumExp(_) => include_str!("../../../../shaders/log_sum_exp.wgsl").to_string(),
        Kernel::Softmax(_) => include_str!("../../../../shaders/softmax.wgsl").to_string(),
        Kernel::Update(_) => [on.quad_library(), STEP, include_str!("../../../../shaders/optimizer.wgsl")].join("\n"),
        Kernel::Reduce(Reduce::Rows(count)) => {
            let rows = template::render("reduce_rows.wgsl", minijinja::context! { count });
            [TREE, &rows].join("\n")
        }
        Kernel::Reduce(Reduce::Report(count)) => {
            let report = template::render("reduce_report.wgsl", minijinja::context! { count });
            [STEP, TREE, &report].join("\n")
        }
        Kernel::Reduce(_) => [STEP, TREE, include_str!("../../../../shaders/reduce.wgsl")].join("\n"),
        Kernel::RandomBits => RNG.to_string(),
        Kernel::Roof(_) => include_str!("../../../../shaders/roof.wgsl").to_string(),
    };
    let mut constants: Vec<(&'static str, f64)> =
        op.kernel.constants().into_iter().map(|(name, value)| (name, f64::from(value))).collect();
    let lanes = on.target.workgroup(op.grid);
    if text.contains("override WG:") {
        constants.push(("WG", f64::from(lanes)));
    }
    let mut elements = lanes;
    if text.contains("override ELEMENTS:") {
        let each = on.target.elements_per_invocation();
        constants.push(("ELEMENTS", f64::from(each)));
        elements *= each;
    }
    let groups = match op.grid {
        Grid::Single | Grid::Tiles { .. } => [1; 3],
        Grid::Rows(rows) => on.fold(rows as u64),
        Grid::Elements(count) => on.fold((count as u64).div_ceil(elements.into())),
    };
    let inside = match op.kernel {
        Kernel::Reduce(Reduce::Rows(count) | Reduce::Report(count)) => count.to_string(),
        Kernel::CrossEntropy(of) => of.d().map_or_else(String::new, |d| format!(" d={d:?}")),
        _ => String::new(),
    };
    let named: Vec<String> = constants.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let variant = format!("{}{inside} {}", op.kernel.name(), named.join(" ")).trim_end().to_string();
    vec![Source { variant, text, constants, groups, ..Source::default() }]
}
