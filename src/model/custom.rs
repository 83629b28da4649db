//! Models of one's own: a graph with losses, and the step that minimises them.

use wgvae_engine::graph::{Graph, Kind, Lowering, Node};
use wgvae_engine::kernels::batch::words_per_row;
use wgvae_engine::kernels::optimizer::{self, Arenas, Rule};
use wgvae_engine::plan::{PlanError, Program, StepPlan, TensorId, TensorTable};

/// What a graph is for.
#[derive(Debug, Clone, Default)]
pub struct Definition {
    /// What comes from outside, made by [`Graph::input`].
    pub inputs: Vec<Node>,
    /// The mean of each over its rows, `(B, 1)`, is minimised; their sum where there are several.
    pub losses: Vec<Node>,
    /// What else shall be read, as it was before the update.
    pub outputs: Vec<Node>,
}

/// The plan of a step, and the tensors the outside writes and reads.
#[derive(Debug, Clone)]
pub struct CustomModel {
    /// One plan.
    pub program: Program,
    /// Of each input.
    pub inputs: Vec<TensorId>,
    /// `(B)` of each loss.
    pub losses: Vec<TensorId>,
    /// Of each output.
    pub outputs: Vec<TensorId>,
    /// `(L)`: all parameters.
    pub weights: TensorId,
    /// `(L)`: all gradients.
    pub gradients: TensorId,
    /// `(1)`: what gradients are multiplied by; 1 for what they are.
    pub clip: TensorId,
}

impl CustomModel {
    /// Plans a step: the losses, every gradient, and where there is a rule, the update. `build` is called twice, the first
    /// time to learn the parameters.
    pub fn new(build: impl Fn(&mut Graph) -> Definition, rule: Option<Rule>, fuse: bool) -> Result<Self, PlanError> {
        let mut g = Graph::default();
        build(&mut g);
        let params = g.params().clone();
        let mut g = Graph::with_params(params.clone());
        let objective = build(&mut g);
        let mut tensors = TensorTable::default();
        let mut arena = |name: &str| tensors.floats(name, &[params.arena_len()]);
        let [weights, gradients, first, second] =
            ["weights", "gradients", "first moments", "second moments"].map(&mut arena);
        let clip = tensors.floats("clip", &[1]);
        let mut place = |nodes: &[Node], vector: bool| -> Vec<(Node, TensorId)> {
            let mut tensor = |node: Node| match (g.kind(node), g.shape(node)) {
                (Kind::Input { levels: true }, [rows, cols]) => {
                    tensors.words(g.name(node), &[rows, words_per_row(cols)])
                }
                (_, [rows, _]) if vector => tensors.floats(g.name(node), &[rows]),
                (_, shape) => tensors.floats(g.name(node), &shape),
            };
            nodes.iter().map(|node| (*node, tensor(*node))).collect()
        };
        let inputs = place(&objective.inputs, false);
        let losses = place(&objective.losses, true);
        let outputs = place(&objective.outputs, false);
        let mut weighted = Vec::new();
        for loss in &objective.losses {
            let mean = 1.0 / g.shape(*loss)[0] as f32;
            weighted.push((*loss, g.constant(mean)));
        }
        let of_weights = tensors.get(weights).buffer;
        let mut lowering = Lowering::new(tensors, of_weights);
        let mut kept = [inputs.clone(), losses.clone(), outputs.clone()].concat();
        kept.extend(lowering.gradients(&mut g, &weighted, gradients));
        let mut behind = Vec::new();
        if let Some(rule) = rule {
            let arenas = Arenas { weights, gradients, first, second, clip };
            behind.push(optimizer::update(&lowering.tensors, arenas, rule, 0.0, params.arena_len())?);
        }
        let ops = lowering.ops(&g, &kept, [Vec::new(), behind], fuse)?;
        let plans = vec![StepPlan { name: "train".into(), ops }];
        let ids = |placed: Vec<(Node, TensorId)>| placed.into_iter().map(|(_, tensor)| tensor).collect();
        Ok(Self {
            program: Program { tensors: lowering.tensors, params, plans, metrics: None },
            inputs: ids(inputs),
            losses: ids(losses),
            outputs: ids(outputs),
            weights,
            gradients,
            clip,
        })
    }
}
