//! The templates among the shaders.

use std::sync::LazyLock;

/// Every template, by its name.
pub const TEMPLATES: [(&str, &str); 18] = [
    ("attention.wgsl", include_str!("../../../../shaders/attention.wgsl.jinja")),
    ("cross_entropy_back.wgsl", include_str!("../../../../shaders/cross_entropy_back.wgsl.jinja")),
    ("gemm.wgsl", include_str!("../../../../shaders/gemm.wgsl.jinja")),
    ("gemm_naive.wgsl", include_str!("../../../../shaders/gemm_naive.wgsl.jinja")),
    ("gemm_plain.wgsl", include_str!("../../../../shaders/gemm_plain.wgsl.jinja")),
    ("gemm_registers.wgsl", include_str!("../../../../shaders/gemm_registers.wgsl.jinja")),
    ("gemm_narrow.wgsl", include_str!("../../../../shaders/gemm_narrow.wgsl.jinja")),
    ("gemm_taps_sum.wgsl", include_str!("../../../../shaders/gemm_taps_sum.wgsl.jinja")),
    ("gemm_rows.wgsl", include_str!("../../../../shaders/gemm_rows.wgsl.jinja")),
    ("gemm_tiles.wgsl", include_str!("../../../../shaders/gemm_tiles.wgsl.jinja")),
    ("gemm_split_k_sum.wgsl", include_str!("../../../../shaders/gemm_split_k_sum.wgsl.jinja")),
    ("gemm_windows.wgsl", include_str!("../../../../shaders/gemm_windows.wgsl.jinja")),
    ("map.wgsl", include_str!("../../../../shaders/map.wgsl.jinja")),
    ("pool.wgsl", include_str!("../../../../shaders/pool.wgsl.jinja")),
    ("recurrent.wgsl", include_str!("../../../../shaders/recurrent.wgsl.jinja")),
    ("reduce_columns.wgsl", include_str!("../../../../shaders/reduce_columns.wgsl.jinja")),
    ("reduce_report.wgsl", include_str!("../../../../shaders/reduce_report.wgsl.jinja")),
    ("reduce_rows.wgsl", include_str!("../../../../shaders/reduce_rows.wgsl.jinja")),
];

/// Parsing them takes longer than rendering one.
static ENVIRONMENT: LazyLock<minijinja::Environment<'static>> = LazyLock::new(|| {
    let mut environment = minijinja::Environment::new();
    environment.set_undefined_behavior(minijinja::UndefinedBehavior::Strict);
    for (name, text) in TEMPLATES {
        // The templates are part of the program, and a test renders every variant of them.
        environment.add_template(name, text).unwrap_or_else(|error| panic!("{error:#}"));
    }
    environment
});

/// Renders a template.
pub(super) fn render(name: &str, context: minijinja::Value) -> String {
    let template = ENVIRONMENT.get_template(name);
    template.and_then(|template| template.render(context)).unwrap_or_else(|error| panic!("{error:#}"))
}
