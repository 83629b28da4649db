//! What nodes are called in plans, messages and tensors.

/// The name of a node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Name {
    text: String,
    /// The layer that the node is a part of, and whether it is the layer's product.
    layer: Option<(String, bool)>,
}

impl Name {
    /// The product, or the norm, of a layer: the products that make its gradients are named after the layer.
    pub fn forward(layer: &str) -> Self {
        Self { text: format!("{layer} forward"), layer: Some((layer.into(), true)) }
    }

    /// The name of a layer's result.
    pub fn out(layer: &str) -> Self {
        Self { text: format!("{layer}.out"), layer: Some((layer.into(), false)) }
    }

    /// The name as it is shown.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The name that other nodes are named after: the layer's, if the node is a part of one.
    pub fn stem(&self) -> &str {
        self.layer.as_ref().map_or(&self.text, |(layer, _)| layer)
    }

    /// The name of the node's tensor.
    pub fn of_tensor(&self) -> String {
        match &self.layer {
            Some((layer, true)) => format!("{layer}.product"),
            _ => self.text.clone(),
        }
    }
}

impl From<&str> for Name {
    fn from(text: &str) -> Self {
        Self { text: text.into(), layer: None }
    }
}

impl From<&String> for Name {
    fn from(text: &String) -> Self {
        text.as_str().into()
    }
}

impl From<String> for Name {
    fn from(text: String) -> Self {
        Self { text, layer: None }
    }
}

impl std::fmt::Display for Name {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.text)
    }
}
