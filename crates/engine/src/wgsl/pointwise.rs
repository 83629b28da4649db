//! The WGSL of pointwise programs.

use crate::plan::{Family, Function, Index, Pointwise, ScalarId, Value};

/// How the WGSL of a program is written.
#[derive(Debug, Clone, Copy)]
pub(super) struct WgslForm {
    /// The program runs behind a product, which `store` is given.
    pub product: bool,
    /// The product is one of pairs.
    pub pairs: bool,
    /// The product does not have its bias yet.
    pub add_bias: bool,
    /// Rows are read and written four columns at a time.
    pub wide: bool,
}

/// Whether four neighbouring columns can be read and written at a time.
pub(super) fn is_wide(program: &Pointwise, cols: u32) -> bool {
    let indices = program.inputs.iter().map(|i| i.index).chain(program.stores.iter().map(|s| s.index));
    let aligned = |index| match index {
        Index::Columns { stride, offset } => stride % 4 == 0 && offset % 4 == 0,
        _ => true,
    };
    cols.is_multiple_of(4) && indices.into_iter().all(aligned)
}

/// Binding numbers: those of the products' own variables lie below.
const FIRST_IN: usize = 20;
const FIRST_OUT: usize = 30;
const FIRST_SUM: usize = 40;

/// The variables of a program's bindings.
pub(super) fn declarations(program: &Pointwise, wide: bool) -> String {
    let float = if wide { "vec4<f32>" } else { "f32" };
    let mut text = String::new();
    let mut declare = |number: usize, access: &str, name: &str, element: &str| {
        text += &format!("@group(0) @binding({number}) var<storage, {access}> {name}: array<{element}>;\n");
    };
    for (i, name) in Pointwise::IN.iter().enumerate() {
        if let Some(input) = program.inputs.iter().find(|input| input.binding == i) {
            let element = match input.index {
                Index::Levels | Index::LevelsOf { .. } => "u32",
                Index::PerRow | Index::Once => "f32",
                Index::Whole | Index::Columns { .. } | Index::Repeated { .. } | Index::PerColumn => float,
            };
            declare(FIRST_IN + i, "read", name, element);
        }
    }
    for (i, name) in Pointwise::OUT.iter().enumerate() {
        if program.stores.iter().any(|store| store.binding == i) {
            declare(FIRST_OUT + i, "read_write", name, float);
        }
    }
    for (i, name) in Pointwise::SUM.iter().enumerate().take(program.sums.len()) {
        declare(FIRST_SUM + i, "read_write", name, "f32");
    }
    text
}

const COMPONENTS: [&str; 4] = ["x", "y", "z", "w"];

/// `store`: what becomes of four neighbouring columns of a row, or of two pairs.
pub(super) fn store(program: &Pointwise, form: WgslForm) -> String {
    Writer { program, form, lines: Vec::new() }.text()
}

struct Writer<'a> {
    program: &'a Pointwise,
    form: WgslForm,
    lines: Vec<String>,
}

impl Writer<'_> {
    /// Elements of the space that a call of `store` makes.
    fn width(&self) -> usize {
        if self.form.pairs { 2 } else { 4 }
    }

    fn line(&mut self, text: impl AsRef<str>) {
        self.lines.push(format!("    {}", text.as_ref()));
    }

    /// A vector of as many as there are elements.
    fn vector(&self, component: impl Fn(usize) -> String) -> String {
        let parts: Vec<String> = (0..self.width()).map(component).collect();
        format!("vec{}<f32>({})", self.width(), parts.join(", "))
    }

    /// The column of an element, the last one again beyond the edge.
    fn column(i: usize) -> String {
        if i == 0 { "j".into() } else { format!("j{i}") }
    }

    /// Whether a value is one number, the same for all elements of a row.
    fn is_scalar(&self, value: Value) -> bool {
        match value {
            Value::Product(_) => false,
            Value::Input(i) => matches!(self.program.inputs[i].index, Index::PerRow | Index::Once),
            Value::Constant(_) | Value::Step { .. } => true,
            Value::Result { call, .. } => {
                let call = &self.program.calls[call];
                call.function.draw().is_none() && call.arguments.iter().all(|a| self.is_scalar(*a))
            }
        }
    }

    fn value(&self, value: Value) -> String {
        match value {
            Value::Product(0) => "p0".into(),
            Value::Product(_) => "p1".into(),
            Value::Input(i) => format!("i{i}"),
            Value::Result { call, index: 0 } => format!("r{call}"),
            Value::Result { call, index } => format!("r{call}_{index}"),
            Value::Constant(bits) => format!("{:?}f", f32::from_bits(bits)),
            Value::Step { scalar, over: 1 } => step_value(scalar),
            Value::Step { scalar, over } => format!("({} / {over}.0)", step_value(scalar)),
        }
    }

    /// A value as a vector.
    fn spread(&self, value: Value) -> String {
        match self.is_scalar(value) {
            true => format!("vec{}<f32>({})", self.width(), self.value(value)),
            false => self.value(value),
        }
    }

    fn element(&self, value: Value, component: usize) -> String {
        match self.is_scalar(value) {
            true => self.value(value),
            false => format!("{}.{}", self.value(value), COMPONENTS[component]),
        }
    }

    /// Where the first element of a row's quad lies.
    fn start(index: Index) -> String {
        match index {
            Index::Columns { stride, offset: 0 } => format!("row * {stride}u"),
            Index::Columns { stride, offset } => format!("row * {stride}u + {offset}u"),
            Index::Repeated { rows } => format!("row / {rows}u * cols"),
            _ => "row * cols".into(),
        }
    }

    fn load(&self, name: &str, index: Index) -> String {
        match index {
            Index::Once => format!("{name}[0]"),
            Index::PerRow => format!("{name}[row]"),
            Index::Levels => format!("levels({name}[row * ((p.n + 3u) / 4u) + col / 4u])"),
            Index::LevelsOf { rows } => self.vector(|i| {
                let column = if self.form.wide { format!("j + {i}u") } else { Self::column(i) };
                let start = format!("row / {rows}u * (({rows}u * cols + 3u) / 4u)");
                let within = format!("(row % {rows}u * cols + {column})");
                format!("levels({name}[{start} + {within} / 4u])[{within} % 4u]")
            }),
            Index::PerColumn if self.form.wide => format!("{name}[j / 4u]"),
            Index::PerColumn => self.vector(|i| format!("{name}[{}]", Self::column(i))),
            _ if self.form.wide => format!("{name}[({} + j) / 4u]", Self::start(index)),
            _ => self.vector(|i| format!("{name}[{} + {}]", Self::start(index), Self::column(i))),
        }
    }

    fn product(&mut self) {
        let bias = |writer: &Self, first: &str| match writer.form.wide {
            true => " + bias[j / 4u]".to_string(),
            false => format!(" + {}", writer.vector(|i| format!("bias[{first}{}]", Self::column(i)))),
        };
        let [low, high] = match self.form.add_bias {
            true => [bias(self, ""), bias(self, "cols + ")],
            false => [String::new(), String::new()],
        };
        if self.form.pairs {
            self.line(format!("let p0 = product.xz{low};"));
            self.line(format!("let p1 = product.yw{high};"));
        } else {
            self.line(format!("let p0 = product{low};"));
        }
    }

    fn call(&mut self, number: usize) {
        let program = self.program;
        let call = &program.calls[number];
        let signature = call.function.signature();
        let results = (0..signature.results)
            .filter(|index| program.used().any(|value| value == Value::Result { call: number, index: *index }))
            .collect::<Vec<_>>();
        let arguments = |component: Option<usize>| -> String {
            let argument = |a: &Value| component.map_or_else(|| self.value(*a), |c| self.element(*a, c));
            let drawn = component.zip(call.function.draw());
            let place = drawn.map(|(c, draw)| format!("step.noise_key, row * cols + j + {c}u, {draw}u"));
            call.arguments.iter().map(argument).chain(place).collect::<Vec<_>>().join(", ")
        };
        let scalar = self.is_scalar(Value::Result { call: number, index: 0 });
        let vector = match (signature.family, call.function) {
            (Family::Map, function) => {
                let values: Vec<String> = call.arguments.iter().map(|a| self.value(*a)).collect();
                values.join(match function {
                    Function::Add => " + ",
                    _ => " * ",
                })
            }
            (_, _) if signature.results == 1 && scalar => format!("{}({})", signature.name, arguments(None)),
            (_, _) if signature.results == 1 => self.vector(|i| format!("{}({})", signature.name, arguments(Some(i)))),
            _ => String::new(),
        };
        if signature.results == 1 {
            self.line(format!("let r{number} = {vector};"));
            return;
        }
        let count = if scalar { 1 } else { self.width() };
        let texts: Vec<String> = (0..count)
            .map(|i| format!("let r{number}{} = {}({});", COMPONENTS[i], signature.name, arguments(Some(i))))
            .collect();
        for text in texts {
            self.line(text);
        }
        for index in results {
            let name = self.value(Value::Result { call: number, index });
            let of = |i: usize| format!("r{number}{}.{}", COMPONENTS[i], COMPONENTS[index]);
            let value = if scalar { of(0) } else { self.vector(of) };
            self.line(format!("let {name} = {value};"));
        }
    }

    fn text(mut self) -> String {
        let program = self.program;
        self.line("if row >= p.m || col >= p.n { return; }");
        let [cols, j] = if self.form.pairs { ["p.n / 2u", "col / 2u"] } else { ["p.n", "col"] };
        self.line(format!("let cols = {cols};"));
        self.line(format!("let j = {j};"));
        if !self.form.wide {
            for i in 1..self.width() {
                self.line(format!("let j{i} = min(j + {i}u, cols - 1u);"));
            }
        }
        if self.form.product {
            self.product();
        }
        for (i, input) in program.inputs.iter().enumerate() {
            let load = self.load(Pointwise::IN[input.binding], input.index);
            self.line(format!("let i{i} = {load};"));
        }
        for number in 0..program.calls.len() {
            self.call(number);
        }
        for store in &program.stores {
            let (name, start) = (Pointwise::OUT[store.binding], Self::start(store.index));
            if self.form.wide {
                let at = format!("{name}[({start} + j) / 4u]");
                let old = if store.accumulate { format!(" + {at}") } else { String::new() };
                self.line(format!("{at} = {}{old};", self.spread(store.value)));
                continue;
            }
            for i in 0..self.width() {
                let at = format!("{name}[{start} + j + {i}u]");
                let old = if store.accumulate { format!(" + {at}") } else { String::new() };
                let set = format!("{at} = {}{old};", self.element(store.value, i));
                self.line(if i == 0 { set } else { format!("if j + {i}u < cols {{ {set} }}") });
            }
        }
        for (number, value) in program.sums.iter().enumerate() {
            let terms: Vec<String> = (0..self.width())
                .map(|i| match self.element(*value, i) {
                    term if i == 0 || self.form.wide => term,
                    term => format!("select(0.0, {term}, j + {i}u < cols)"),
                })
                .collect();
            let at = "row * ((p.n + 3u) / 4u) + col / 4u";
            self.line(format!("{}[{at}] = {};", Pointwise::SUM[number], terms.join(" + ")));
        }
        let product = if self.form.product { ", product: vec4<f32>" } else { "" };
        format!("// {program}\nfn store(row: u32, col: u32{product}) {{\n{}\n}}\n", self.lines.join("\n"))
    }
}

const LEVELS: &str = include_str!("../../../../shaders/levels.wgsl");
const ACTIVATION: &str = include_str!("../../../../shaders/activation.wgsl");
const LATENT: &str = include_str!("../../../../shaders/latent.wgsl");
const LIKELIHOOD: &str = include_str!("../../../../shaders/likelihood.wgsl");

/// A scalar of the step.
fn step_value(ScalarId(place): ScalarId) -> String {
    format!("step.values[{}].{}", place / 4, ["x", "y", "z", "w"][place as usize % 4])
}

/// The shader files with what a program calls, in the order they are joined.
pub(super) fn libraries(program: &Pointwise, levels: bool) -> Vec<&'static str> {
    let uses = |family| program.calls.iter().any(|call| call.function.signature().family == family);
    let mut files = Vec::new();
    let steps = program.used().any(|value| matches!(value, Value::Step { .. }));
    if steps || uses(Family::Rng) {
        files.push(super::STEP);
        files.push(super::STEP_BINDING);
    }
    if uses(Family::Rng) {
        files.push(super::RNG);
    }
    // A likelihood takes the logarithm from there.
    if uses(Family::Activation) || uses(Family::Likelihood) {
        files.push(ACTIVATION);
    }
    if uses(Family::Latent) {
        files.push(LATENT);
    }
    if uses(Family::Likelihood) {
        files.push(LIKELIHOOD);
    }
    if levels {
        files.push(LEVELS);
    }
    files
}
