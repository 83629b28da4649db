//! Nodes of tokens: what they are embedded as, and what they cost. A token is a whole number in a float, and a number below 0 is no
//! token.

use super::{Graph, Kind, Name, Node};
use crate::plan::Function;

impl Graph {
    /// Adds the rows of a table `(V, E)` that tokens `(B, T)` choose: `(B T, E)`. Row `b T + t` is that of the token at `t - shift`, and
    /// zeros where there is none. With a shift of 1, a decoder sees the token before.
    ///
    /// ```
    /// use wgvae_engine::graph::Graph;
    /// use wgvae_engine::plan::Init;
    ///
    /// let mut g = Graph::default();
    /// let ids = g.input("ids", [64, 20], false); // 64 sequences of 20 tokens
    /// let table = g.param("embed.weight", &[100, 16], Init::Uniform(0.5));
    /// let rows = g.embed("embed", table, ids, 1);
    /// assert_eq!(g.shape(rows), [64 * 20, 16]);
    /// ```
    pub fn embed(&mut self, name: impl Into<Name>, table: Node, ids: Node, shift: usize) -> Node {
        let ([_, width], [sequences, length]) = (self.shape(table), self.shape(ids));
        self.add(Kind::Embed { table, ids, shift }, [sequences * length, width], name)
    }

    /// Adds the gradient of the table.
    pub(super) fn embed_back(&mut self, d: Node, [table, ids]: [Node; 2], shift: usize) -> Node {
        let (shape, name) = (self.shape(table), format!("d_{} by its tokens", self.name(table)));
        self.add(Kind::EmbedBack { d, ids, shift }, shape, name)
    }

    /// Adds the cross-entropies `(B T, 1)` of logits `(B T, V)` and tokens `(B, T)`: of each row, the negative logarithm of the
    /// probability of its token, and 0 where there is no token.
    ///
    /// ```
    /// use wgvae_engine::graph::Graph;
    ///
    /// let mut g = Graph::default();
    /// let ids = g.input("ids", [64, 20], false);
    /// let logits = g.input("logits", [64 * 20, 100], false);
    /// let losses = g.cross_entropy("losses", logits, ids);
    /// let of_sequences = g.reshape(losses, [64, 20]);
    /// assert_eq!(g.shape(of_sequences), [64, 20]);
    /// ```
    ///
    /// # Panics
    /// If there are more or fewer rows than tokens.
    pub fn cross_entropy(&mut self, name: impl Into<Name>, logits: Node, ids: Node) -> Node {
        let ([rows, _], [sequences, length], name) = (self.shape(logits), self.shape(ids), name.into());
        assert_eq!(rows, sequences * length, "{name}: rows of {} for {}", self.name(logits), self.name(ids));
        self.add(Kind::CrossEntropy { of: logits, ids }, [rows, 1], name)
    }

    /// Adds the gradient of the logits.
    pub(super) fn cross_entropy_back(&mut self, d: Node, loss: Node, [of, ids]: [Node; 2]) -> Node {
        let (shape, name) = (self.shape(of), format!("d_{} by its tokens", self.name(of)));
        let sums = self.result_as(loss, 1, [shape[0], 2], format!("{}.sums", self.name(loss)));
        self.add(Kind::CrossEntropyBack { d, of, ids, sums }, shape, name)
    }

    /// Adds tokens, each of which is replaced by [`UNKNOWN`](crate::plan::UNKNOWN) with a probability, which is a number. Different
    /// numbers give independent draws.
    ///
    /// ```
    /// use wgvae_engine::graph::Graph;
    ///
    /// let mut g = Graph::default();
    /// let ids = g.input("ids", [64, 20], false);
    /// let probability = g.constant(0.3);
    /// let seen = g.drop_tokens("seen", ids, probability, 0);
    /// assert_eq!(g.shape(seen), [64, 20]);
    /// ```
    pub fn drop_tokens(&mut self, name: impl Into<Name>, ids: Node, probability: Node, draw: u32) -> Node {
        self.map(name, Function::DropToken(draw), &[ids, probability])
    }
}
