//! The tape: walks a graph backwards and adds the nodes of its gradients.

use std::collections::{HashMap, HashSet};

use super::{Argument, Axis, Graph, Kind, Node, Region, Scalar};
use crate::plan::{Function, Gradient, Orientation, Saved};

/// Adds the gradients of `sum(weight * loss)` over every element of some losses, given as `(loss, weight)`, and returns
/// those of the nodes in `wanted`; none for a node that no loss depends on.
///
/// # Panics
/// If a loss depends on a wanted node through an input without a gradient, such as a likelihood's target.
pub fn gradients(graph: &mut Graph, losses: &[(Node, Node)], wanted: &[Node]) -> Vec<Option<Node>> {
    let mut tape = Tape { graph, wanted: HashSet::new(), parts: HashMap::new() };
    tape.mark(wanted);
    for (loss, weight) in losses {
        tape.give(*loss, Region::Whole, *weight);
    }
    let mut found = HashMap::new();
    let forward: Vec<Node> = tape.graph.nodes().filter(|node| tape.wanted.contains(node)).collect();
    for node in forward.into_iter().rev() {
        let Some(d) = tape.gradient(node) else { continue };
        found.insert(node, d);
        tape.back(node, d);
    }
    wanted
        .iter()
        .map(|node| {
            let shape = tape.graph.shape(*node);
            found.get(node).map(|d| tape.whole(*d, shape))
        })
        .collect()
}

struct Tape<'a> {
    graph: &'a mut Graph,
    /// The nodes that depend on a wanted node, itself included; the others need no gradient.
    wanted: HashSet<Node>,
    /// The parts whose sum is a node's gradient.
    parts: HashMap<Node, Vec<(Region, Node)>>,
}

impl Tape<'_> {
    fn mark(&mut self, wanted: &[Node]) {
        let wanted: HashSet<Node> = wanted.iter().copied().collect();
        for node in self.graph.nodes() {
            if wanted.contains(&node) || self.graph.reads(node).iter().any(|read| self.wanted.contains(read)) {
                self.wanted.insert(node);
            }
        }
    }

    fn wants(&self, node: Node) -> bool {
        self.wanted.contains(&node)
    }

    /// Adds to a node's gradient.
    fn give(&mut self, to: Node, region: Region, part: Node) {
        if self.wants(to) {
            self.parts.entry(to).or_default().push((region, part));
        }
    }

    /// A node's gradient, complete once every reader of the node has added its part.
    fn gradient(&mut self, node: Node) -> Option<Node> {
        let parts = self.parts.remove(&node)?;
        let (name, shape) = (format!("d_{}", self.graph.name(node)), self.graph.shape(node));
        if let [(Region::Whole, only)] = parts.as_slice() {
            return Some(*only);
        }
        let (mut sum, views): (Vec<_>, Vec<_>) = parts.into_iter().partition(|(region, _)| *region == Region::Whole);
        if sum.is_empty() && !self.tile(&views, shape) {
            let zero = self.graph.constant(0.0);
            sum.push((Region::Whole, self.whole(zero, shape)));
        }
        sum.extend(views);
        Some(self.graph.sum(name, shape, sum))
    }

    /// Whether parts tile the rows or the columns: none is left out, and any two parts are equal or disjoint.
    fn tile(&self, parts: &[(Region, Node)], shape: [usize; 2]) -> bool {
        let spans = |axis: usize| -> Option<Vec<std::ops::Range<usize>>> {
            let span = |(region, part): &(Region, Node)| match (region, axis) {
                (Region::Rows(start), 0) | (Region::Columns(start), 1) => {
                    Some(*start..start + self.graph.shape(*part)[axis])
                }
                _ => None,
            };
            parts.iter().map(span).collect()
        };
        [0, 1].into_iter().any(|axis| {
            spans(axis).is_some_and(|mut spans| {
                spans.sort_by_key(|span| (span.start, span.end));
                spans.dedup();
                let ends = std::iter::once(0).chain(spans.iter().map(|span| span.end));
                let starts = spans.iter().map(|span| span.start).chain([shape[axis]]);
                ends.eq(starts)
            })
        })
    }

    /// A gradient may be smaller than its node if it is constant along an axis; this repeats it to full size.
    fn whole(&mut self, d: Node, shape: [usize; 2]) -> Node {
        if self.graph.shape(d) == shape {
            return d;
        }
        let name = format!("{} repeated", self.graph.name(d));
        self.graph.map_of(name, vec![(Function::Copy, vec![Argument::Input(0)])], &[d], shape)
    }

    fn back(&mut self, node: Node, d: Node) {
        let shape = self.graph.shape(node);
        match self.graph.kind(node).clone() {
            Kind::Input { .. } | Kind::Param { .. } | Kind::Scalar(_) => {}
            Kind::Product { orientation, a, b } => self.product(node, d, orientation, a, b),
            Kind::Map { calls, inputs } => {
                assert_eq!(calls.len(), 1, "{} was made by the tape", self.graph.name(node));
                self.map(node, d, calls[0].0, &inputs);
            }
            // The tape itself adds results other than the first, for the backward pass; of an lstm's, only decoding step by step reads one.
            Kind::Result { .. } => panic!("{}: a loss depends on it, and it has no gradient", self.graph.name(node)),
            // The gradient of a sum is the same for every term, so it stays smaller than the node.
            Kind::Reduce { of, .. } => self.give(of, Region::Whole, d),
            Kind::View { of, region } => {
                let d = self.whole(d, shape);
                self.give(of, region, d);
            }
            Kind::Reshape { of } => {
                // A number that is the same everywhere has no shape.
                let d = match self.graph.shape(d) {
                    [1, 1] => d,
                    _ => {
                        let d = self.whole(d, shape);
                        self.graph.reshape(d, self.graph.shape(of))
                    }
                };
                self.give(of, Region::Whole, d);
            }
            Kind::Windows { of, windows } => {
                let d = self.graph.overlap(d, windows);
                self.give(of, Region::Whole, d);
            }
            Kind::Overlap { of, windows } => {
                let d = self.whole(d, shape);
                let d = self.graph.windows(d, windows);
                self.give(of, Region::Whole, d);
            }
            Kind::Pool { of, pool } => {
                let d = self.whole(d, shape);
                let name = format!("d_{} by {}", self.graph.name(of), self.graph.name(node));
                let d = self.graph.pool(name, d, pool.gradient());
                self.give(of, Region::Whole, d);
            }
            Kind::Normalise { of, norm } => {
                let d = self.whole(d, shape);
                let d = self.graph.normalise_back(d, node, norm);
                self.give(of, Region::Whole, d);
            }
            Kind::LogSoftmax { of, groups } => {
                let d = self.whole(d, shape);
                let d = self.graph.log_softmax_back(d, node, groups);
                self.give(of, Region::Whole, d);
            }
            Kind::LogSumExp { of } => {
                let d = self.whole(d, shape);
                let d = self.graph.log_sum_exp_back(d, of, node);
                self.give(of, Region::Whole, d);
            }
            Kind::Recurrent { layer, gates, weight, bias, start, .. } => {
                let d = match self.graph.of_last_turn(d, layer) {
                    Some(of_last) => of_last,
                    None => self.whole(d, shape),
                };
                let [d_gates, d_hidden, carry] = self.graph.recurrent_back(d, node, layer, weight, start);
                let name = self.graph.full_name(node).stem().to_string();
                let start = start.map(|start| (start, self.graph.recurrent_d_first(d_hidden, layer, &name)));
                if self.wants(weight) {
                    let d_weight = self.graph.recurrent_d_weight(d_hidden, node, layer, start);
                    self.give(weight, Region::Whole, d_weight);
                }
                if self.wants(bias) {
                    let d_bias = self.graph.recurrent_d_bias(d_hidden, &name);
                    self.give(bias, Region::Whole, d_bias);
                }
                self.give(gates, Region::Whole, d_gates);
                if let Some((start, d_first)) = start.filter(|(start, _)| self.wants(*start)) {
                    let d_start = self.graph.recurrent_d_start(d_first, carry, (weight, &name));
                    self.give(start, Region::Whole, d_start);
                }
            }
            Kind::Attention { layer, of, lengths } => {
                let d = self.whole(d, shape);
                let d = self.graph.attention_back(d, node, layer, of, lengths);
                self.give(of, Region::Whole, d);
            }
            Kind::NormaliseBack { .. }
            | Kind::LogSoftmaxBack { .. }
            | Kind::LogSumExpBack { .. }
            | Kind::RecurrentBack { .. }
            | Kind::AttentionBack { .. }
            | Kind::EmbedBack { .. }
            | Kind::CrossEntropyBack { .. } => {
                unreachable!("{} was made by the tape", self.graph.name(node))
            }
            Kind::Embed { table, ids, shift } => {
                let d = self.whole(d, shape);
                let d = self.graph.embed_back(d, [table, ids], shift);
                self.give(table, Region::Whole, d);
            }
            Kind::CrossEntropy { of, ids } => {
                // A constant needs no number for each row.
                let d = match self.graph.kind(d) {
                    Kind::Scalar(Scalar::Constant(_)) => d,
                    _ => self.whole(d, shape),
                };
                let d = self.graph.cross_entropy_back(d, node, [of, ids]);
                self.give(of, Region::Whole, d);
            }
            Kind::Sum(parts) => {
                for (region, part) in parts {
                    let of_part = match region {
                        Region::Whole => d,
                        _ if !self.wants(part) => continue,
                        Region::Rows(start) => {
                            let (d, rows) = (self.whole(d, shape), self.graph.shape(part)[0]);
                            self.graph.rows(format!("d_{}", self.graph.name(part)), d, start..start + rows)
                        }
                        Region::Columns(start) => {
                            let (d, cols) = (self.whole(d, shape), self.graph.shape(part)[1]);
                            self.graph.columns(format!("d_{}", self.graph.name(part)), d, start..start + cols)
                        }
                    };
                    self.give(part, Region::Whole, of_part);
                }
            }
        }
    }

    /// Both gradients of a product are products, in every orientation.
    fn product(&mut self, node: Node, d: Node, orientation: Orientation, a: Node, b: Node) {
        use Orientation::{Nn, Nt, Tn};
        let d = self.whole(d, self.graph.shape(node));
        let (of_a, of_b) = match orientation {
            Nt => ((Nn, d, b), (Tn, d, a)),
            Nn => ((Nt, d, b), (Tn, a, d)),
            Tn => ((Nt, b, d), (Nn, a, d)),
        };
        let name = self.graph.full_name(node).stem().to_string();
        // The weight's gradient comes first: ordering keeps this order among ops of equal priority.
        for (to, (orientation, a, b), what) in [(b, of_b, "d_weight"), (a, of_a, "d_input")] {
            if self.wants(to) {
                let part = self.graph.product(format!("{name} {what}"), orientation, a, b);
                self.give(to, Region::Whole, part);
            }
        }
    }

    fn map(&mut self, node: Node, d: Node, function: Function, inputs: &[Node]) {
        let name = self.graph.name(node).to_string();
        for (i, input) in inputs.iter().enumerate() {
            if !self.wants(*input) {
                continue;
            }
            let saved = |graph: &mut Graph, saved: Saved| match saved {
                Saved::Input(i) => inputs[i],
                Saved::Result(0) => node,
                Saved::Result(index) => graph.result_of(node, index),
            };
            let (calls, operands) = match function.gradient(i) {
                Gradient::None => panic!("{name} has no gradient for {}", self.graph.name(*input)),
                Gradient::Pass => (Vec::new(), vec![d]),
                Gradient::Times(value) => {
                    let factor = saved(self.graph, value);
                    (vec![(Function::Multiply, vec![Argument::Input(0), Argument::Input(1)])], vec![d, factor])
                }
                Gradient::TimesSlope(slope, value) => {
                    let calls = vec![
                        (slope, vec![Argument::Input(1)]),
                        (Function::Multiply, vec![Argument::Input(0), Argument::Result(0)]),
                    ];
                    (calls, vec![d, saved(self.graph, value)])
                }
                Gradient::Through(back, values) => {
                    let mut operands = vec![d];
                    operands.extend(values.iter().map(|value| saved(self.graph, *value)));
                    let arguments = (0..operands.len()).map(Argument::Input).collect();
                    (vec![(back, arguments)], operands)
                }
            };
            let part = if calls.is_empty() {
                d
            } else {
                let shape = self.graph.common_shape(&operands);
                let part = format!("d_{} by {name}", self.graph.name(*input));
                self.graph.map_of(part, calls, &operands, shape)
            };
            let part = self.summed(part, self.graph.shape(node), *input);
            self.give(*input, Region::Whole, part);
        }
    }

    /// The gradient of a repeated input is the sum over its repetitions.
    fn summed(&mut self, d: Node, from: [usize; 2], input: Node) -> Node {
        let (to, name) = (self.graph.shape(input), format!("d_{}", self.graph.name(input)));
        let mut d = d;
        for (axis, over) in [(1, Axis::Columns), (0, Axis::Rows)] {
            if to[axis] == 1 && from[axis] > 1 {
                let mut shape = self.graph.shape(d);
                shape[axis] = from[axis];
                d = self.whole(d, shape);
                d = self.graph.reduce(name.clone(), d, over);
            }
        }
        d
    }
}
