//! Layers: their parameters, what they keep of a batch, and their ops forward and back.

use crate::kernels::dense::{self, Ending, Epilogue};
use crate::kernels::{Activation, reduce};
use crate::plan::{BufferId, Dtype, Init, Op, ParamTable, PlanError, TensorId, TensorTable};

/// A parameter's tensor and its gradient's: the same place in two arenas.
#[derive(Debug, Clone, Copy)]
pub(super) struct Parameter {
    pub value: TensorId,
    pub gradient: TensorId,
}

/// The arenas of one layout.
#[derive(Debug, Clone, Copy)]
pub(super) struct ArenaBuffers {
    pub weights: BufferId,
    pub gradients: BufferId,
    pub first: BufferId,
    pub second: BufferId,
}

impl ArenaBuffers {
    pub fn new(tensors: &mut TensorTable, params: &ParamTable) -> Self {
        let len = params.arena_len();
        let mut arena = |name: &str| tensors.buffer(name, len, Dtype::F32);
        Self {
            weights: arena("weights"),
            gradients: arena("gradients"),
            first: arena("first moments"),
            second: arena("second moments"),
        }
    }

    /// A parameter of any shape at an offset of the arenas.
    pub fn parameter(&self, tensors: &mut TensorTable, name: &str, offset: usize, shape: &[usize]) -> Parameter {
        Parameter {
            value: tensors.view(name, self.weights, offset, shape),
            gradient: tensors.view(format!("d_{name}"), self.gradients, offset, shape),
        }
    }
}

/// Where a layer's parameters lie, before the arenas exist.
#[derive(Debug, Clone)]
pub(super) struct LayerLayout {
    pub name: String,
    pub inputs: usize,
    pub outputs: usize,
    pub activation: Activation,
    pub weight: usize,
    pub bias: usize,
    /// The weight is `[in, out]`: another layer's, transposed.
    pub transposed: bool,
    /// Rows of the weight's gradient that a tied layer has written before.
    pub kept_rows: usize,
}

/// What `torch.nn.Linear` draws weights and biases from.
fn linear_init(inputs: usize) -> Init {
    Init::Uniform(1.0 / (inputs as f32).sqrt())
}

impl LayerLayout {
    /// A layer with a matrix of its own; `parts` splits its outputs into named parameters (`mu`, `logvar`).
    pub fn own(
        params: &mut ParamTable,
        name: &str,
        inputs: usize,
        parts: &[(&str, usize)],
        activation: Activation,
    ) -> Self {
        let init = linear_init(inputs);
        let shapes: Vec<[usize; 2]> = parts.iter().map(|(_, n)| [*n, inputs]).collect();
        let lengths: Vec<[usize; 1]> = parts.iter().map(|(_, n)| [*n]).collect();
        let names = |suffix: &str| -> Vec<String> { parts.iter().map(|(p, _)| format!("{p}.{suffix}")).collect() };
        let (weights, biases) = (names("weight"), names("bias"));
        let weight_block: Vec<(&str, &[usize], Init)> =
            weights.iter().zip(&shapes).map(|(n, s)| (n.as_str(), s.as_slice(), init)).collect();
        let bias_block: Vec<(&str, &[usize], Init)> =
            biases.iter().zip(&lengths).map(|(n, s)| (n.as_str(), s.as_slice(), init)).collect();
        Self {
            name: name.to_string(),
            inputs,
            outputs: parts.iter().map(|(_, n)| n).sum(),
            activation,
            weight: params.push_block(&weight_block),
            bias: params.push_block(&bias_block),
            transposed: false,
            kept_rows: 0,
        }
    }

    /// A layer through the matrix of `source`, `[inputs, outputs]`, transposed; only the bias is its own.
    pub fn tied(
        params: &mut ParamTable,
        name: &str,
        [inputs, outputs]: [usize; 2],
        source: &mut LayerLayout,
        activation: Activation,
    ) -> Self {
        source.kept_rows = inputs;
        let bias_name = format!("{name}.bias");
        Self {
            name: name.to_string(),
            inputs,
            outputs,
            activation,
            weight: source.weight,
            bias: params.push_block(&[(&bias_name, &[outputs], linear_init(inputs))]),
            transposed: true,
            kept_rows: 0,
        }
    }

    pub fn place(&self, tensors: &mut TensorTable, arenas: &ArenaBuffers, batch: usize) -> Layer {
        let name = &self.name;
        let shape = match self.transposed {
            false => [self.outputs, self.inputs],
            true => [self.inputs, self.outputs],
        };
        let weight_name = format!("{name}.weight{}", if self.transposed { "^T" } else { "" });
        let rows = [batch, self.outputs];
        Layer {
            weight: arenas.parameter(tensors, &weight_name, self.weight, &shape),
            bias: arenas.parameter(tensors, &format!("{name}.bias"), self.bias, &[self.outputs]),
            out: tensors.floats(format!("{name}.out"), &rows),
            pre: self.activation.keeps_input().then(|| tensors.floats(format!("{name}.pre"), &rows)),
            d_pre: tensors.floats(format!("{name}.d_pre"), &rows),
            layout: self.clone(),
        }
    }
}

/// A dense layer of a batch of B rows.
#[derive(Debug, Clone)]
pub(super) struct Layer {
    pub layout: LayerLayout,
    /// `[out, in]`, or `[in, out]` where transposed.
    pub weight: Parameter,
    /// `[out]`.
    pub bias: Parameter,
    /// `(B, out)`, after the activation.
    pub out: TensorId,
    /// `(B, out)`, before it, where its gradient needs that.
    pub pre: Option<TensorId>,
    /// `(B, out)`: the gradient before the activation.
    pub d_pre: TensorId,
}

impl Layer {
    /// `out = activate(input W^T + bias)`.
    pub fn forward(&self, tensors: &TensorTable, input: TensorId) -> Result<Op, PlanError> {
        self.ending_in(tensors, input, self.out, Ending::Plain)
    }

    /// The same with another ending, into `out`; the gradient `d_pre`, where a likelihood ends it.
    pub fn ending_in(
        &self,
        tensors: &TensorTable,
        input: TensorId,
        out: TensorId,
        ending: Ending,
    ) -> Result<Op, PlanError> {
        let epilogue = Epilogue {
            bias: Some(self.bias.value),
            activation: self.layout.activation,
            pre: self.pre,
            ending,
            ..Epilogue::default()
        };
        let operands = [input, self.weight.value, out];
        let label = format!("{} forward", self.layout.name);
        match self.layout.transposed {
            false => dense::forward(tensors, label, operands, epilogue),
            true => dense::d_input(tensors, label, operands, epilogue),
        }
    }

    /// The gradients of the weight and bias, from `d_pre`.
    pub fn d_parameters(&self, tensors: &TensorTable, input: TensorId) -> Result<Vec<Op>, PlanError> {
        let label = format!("{} d_weight", self.layout.name);
        if self.layout.transposed {
            // The matrix is [in, out]: its gradient is input^T d_pre, and the bias's rides with neither operand.
            let operands = [input, self.d_pre, self.weight.gradient];
            let bias = format!("{} d_bias", self.layout.name);
            return Ok(vec![
                dense::d_weight(tensors, label, operands, Epilogue::default())?,
                reduce::columns(tensors, bias, self.d_pre, self.bias.gradient)?,
            ]);
        }
        let epilogue =
            Epilogue { row_sum: Some(self.bias.gradient), kept_rows: self.layout.kept_rows, ..Epilogue::default() };
        let operands = [self.d_pre, input, self.weight.gradient];
        Ok(vec![dense::d_weight(tensors, label, operands, epilogue)?])
    }

    /// The gradient of what made the layer's input.
    pub fn d_input(&self, tensors: &TensorTable, before: Before<'_>) -> Result<Op, PlanError> {
        let (d_input, epilogue) = match before {
            Before::Layer(b) => {
                let gradient = Some((b.layout.activation, b.pre.unwrap_or(b.out)));
                (b.d_pre, Epilogue { gradient, ..Epilogue::default() })
            }
            Before::Latent { d_heads, ending } => (d_heads, Epilogue { ending, ..Epilogue::default() }),
        };
        let operands = [self.d_pre, self.weight.value, d_input];
        let label = format!("{} d_input", self.layout.name);
        match self.layout.transposed {
            false => dense::d_input(tensors, label, operands, epilogue),
            true => dense::forward(tensors, label, operands, epilogue),
        }
    }
}

/// What made the input of a layer.
#[derive(Clone, Copy)]
pub(super) enum Before<'a> {
    /// Another layer: its activation is differentiated too.
    Layer(&'a Layer),
    /// A draw of the latent variable.
    Latent {
        /// `(B, 2Z)`: where the gradient of `mu | logvar` goes.
        d_heads: TensorId,
        /// [`Ending::Backward`].
        ending: Ending,
    },
}

/// The forward ops of a chain of layers; returns the last output.
pub(super) fn forward(
    tensors: &TensorTable,
    layers: &[Layer],
    input: TensorId,
    ops: &mut Vec<Op>,
) -> Result<TensorId, PlanError> {
    let mut input = input;
    for layer in layers {
        ops.push(layer.forward(tensors, input)?);
        input = layer.out;
    }
    Ok(input)
}

/// The backward ops of a chain of layers, last first, from the last layer's `d_pre`. `latent` made the chain's input,
/// where anything wants its gradient.
pub(super) fn backward(
    tensors: &TensorTable,
    layers: &[Layer],
    input: TensorId,
    latent: Option<Before<'_>>,
    ops: &mut Vec<Op>,
) -> Result<(), PlanError> {
    for (i, layer) in layers.iter().enumerate().rev() {
        let before = i.checked_sub(1).map(|i| &layers[i]);
        let from = before.map_or(input, |b| b.out);
        // d_weight and d_input write different buffers: they share a stage.
        let mut d_parameters = layer.d_parameters(tensors, from)?.into_iter();
        ops.extend(d_parameters.next());
        if let Some(before) = before.map(Before::Layer).or(latent) {
            ops.push(layer.d_input(tensors, before)?);
        }
        ops.extend(d_parameters);
    }
    Ok(())
}
