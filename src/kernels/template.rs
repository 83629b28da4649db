//! The templates among the shaders.

/// Every template, by its name.
pub const TEMPLATES: [(&str, &str); 8] = [
    ("gemm.wgsl", include_str!("../../shaders/gemm.wgsl.jinja")),
    ("gemm_naive.wgsl", include_str!("../../shaders/gemm_naive.wgsl.jinja")),
    ("gemm_plain.wgsl", include_str!("../../shaders/gemm_plain.wgsl.jinja")),
    ("gemm_lanes.wgsl", include_str!("../../shaders/gemm_lanes.wgsl.jinja")),
    ("gemm_tiles.wgsl", include_str!("../../shaders/gemm_tiles.wgsl.jinja")),
    ("gemm_finish.wgsl", include_str!("../../shaders/gemm_finish.wgsl.jinja")),
    ("map.wgsl", include_str!("../../shaders/map.wgsl.jinja")),
    ("reduce_rows.wgsl", include_str!("../../shaders/reduce_rows.wgsl.jinja")),
];

/// Renders a template.
pub(super) fn render(name: &str, context: minijinja::Value) -> String {
    let mut environment = minijinja::Environment::new();
    environment.set_undefined_behavior(minijinja::UndefinedBehavior::Strict);
    TEMPLATES
        .iter()
        .try_for_each(|(name, text)| environment.add_template(name, text))
        .and_then(|()| environment.get_template(name))
        .and_then(|template| template.render(context))
        // The templates are part of the program, and a test renders every variant of them.
        .unwrap_or_else(|error| panic!("{error:#}"))
}
