//! Nodes of attention.

use super::{Graph, Kind, Name, Node};
use crate::plan::Attention;

impl Graph {
    /// Adds what each time of B sequences takes of the times that it looks at: `softmax(q k^T / sqrt(W)) v` with W columns of
    /// each head, `(B T, C)`. `qkv (B T, 3 C)` has queries, keys and values beside each other, as `in_proj_weight` of
    /// `torch.nn.MultiheadAttention` makes them. `lengths (B, 1)` are the times of each row: behind them the result is 0, and
    /// nothing looks there.
    ///
    /// ```
    /// use wgvae_engine::graph::Graph;
    /// use wgvae_engine::plan::Attention;
    ///
    /// let mut g = Graph::default();
    /// let qkv = g.input("qkv", [4 * 10, 3 * 16], false); // 4 sequences of 10 times
    /// let layer = Attention { heads: 2, causal: true, steps: 10 };
    /// let result = g.attention("attention", layer, qkv, None);
    /// assert_eq!(g.shape(result), [40, 16]);
    /// ```
    ///
    /// # Panics
    /// If the rows are no whole number of sequences, or the columns none of heads.
    pub fn attention(&mut self, name: impl Into<Name>, layer: Attention, qkv: Node, lengths: Option<Node>) -> Node {
        let (name, [rows, columns]) = (name.into(), self.shape(qkv));
        let [steps, heads] = [layer.steps, layer.heads].map(|n| n as usize);
        assert!(steps > 0 && rows % steps == 0, "{name}: {rows} rows of {steps} times");
        assert!(heads > 0 && columns % (3 * heads) == 0, "{name}: {columns} columns of {heads} heads, thrice");
        if let Some(lengths) = lengths {
            assert_eq!(self.shape(lengths), [rows / steps, 1], "{name}: the lengths");
        }
        self.add(Kind::Attention { layer, of: qkv, lengths }, [rows, columns / 3], name)
    }

    /// Adds the gradient of queries, keys and values.
    pub(super) fn attention_back(
        &mut self,
        d: Node,
        result: Node,
        layer: Attention,
        of: Node,
        lengths: Option<Node>,
    ) -> Node {
        let (name, shape) = (self.name(result).to_string(), self.shape(of));
        let sums = self.result_as(result, 1, [shape[0], layer.heads as usize], format!("{name}.sums"));
        let kind = Kind::AttentionBack { layer, d, of, result, sums, lengths };
        self.add(kind, shape, format!("d_{name} queries, keys, values"))
    }
}
