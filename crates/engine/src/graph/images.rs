//! Nodes of images: convolutions, pools, norms, and rows that are repeated, as pixels are.

use super::{Graph, Kind, Name, Node};
use crate::plan::{Norm, Orientation, Pass, Pool, Windows};

impl Graph {
    /// Adds a convolution of images `(B H W, C)` with weights `(CO, KH KW C)`: `(B OH OW, CO)`.
    ///
    /// # Panics
    /// If the images or the weights do not have the extents of the windows.
    pub fn convolution(&mut self, name: impl Into<Name>, images: Node, weight: Node, windows: Windows) -> Node {
        let of_images = self.windows(images, windows);
        self.product(name, Orientation::Nt, of_images, weight)
    }

    /// Adds a transposed convolution, which is what a convolution's gradient is: from `(B OH OW, CO)` with weights
    /// `(CO, KH KW C)` to images `(B H W, C)`, summed where windows overlap.
    ///
    /// # Panics
    /// If the input or the weights do not have the extents of the windows.
    pub fn transposed_convolution(&mut self, name: impl Into<Name>, x: Node, weight: Node, windows: Windows) -> Node {
        let product = self.product(name, Orientation::Nn, x, weight);
        self.overlap(product, windows)
    }

    /// Adds the windows of images. Only products take them.
    pub(super) fn windows(&mut self, of: Node, windows: Windows) -> Node {
        let ([pixels, channels], name) = (self.shape(of), format!("windows of {}", self.name(of)));
        let fits = channels == windows.channels() && pixels % windows.pixels() == 0;
        assert!(fits, "{name}: {:?} for {windows}", [pixels, channels]);
        self.add(Kind::Windows { of, windows }, [pixels / windows.pixels() * windows.rows(), windows.cols()], name)
    }

    /// Adds the sum of a product's windows.
    pub(super) fn overlap(&mut self, of: Node, windows: Windows) -> Node {
        let ([places, taps], name) = (self.shape(of), self.full_name(of).clone());
        let fits = taps == windows.cols() && places % windows.rows() == 0;
        assert!(fits, "{name}: {:?} for {windows}", [places, taps]);
        let shape = [places / windows.rows() * windows.pixels(), windows.channels()];
        self.add(Kind::Overlap { of, windows }, shape, name)
    }

    /// Adds the averages of images `(B H W, C)` over windows: `(B OH OW, C)`.
    ///
    /// # Panics
    /// If the images do not have the extents of the windows.
    pub fn average_pool(&mut self, name: &str, images: Node, windows: Windows) -> Node {
        let taps: u32 = windows.kernel.iter().product();
        self.pool(name, images, Pool::new(Pass::Forward, windows, 1.0 / taps as f32))
    }

    /// Adds images `(B H W, C)`, each pixel of which is the sum of those of `(B OH OW, C)` whose window lies above it: where
    /// windows lie side by side, the nearest.
    ///
    /// # Panics
    /// If the input does not have the extents of the windows.
    pub fn upsample(&mut self, name: &str, x: Node, windows: Windows) -> Node {
        self.pool(name, x, Pool::new(Pass::Backward, windows, 1.0))
    }

    pub(super) fn pool(&mut self, name: impl Into<Name>, of: Node, pool: Pool) -> Node {
        let (windows, [rows, channels], name) = (pool.windows, self.shape(of), name.into());
        let [inside, outside] = pool.rows();
        assert!(channels == windows.channels() && rows % inside == 0, "{name}: {:?} for {windows}", [rows, channels]);
        self.add(Kind::Pool { of, pool }, [rows / inside * outside, channels], name)
    }

    /// Adds a group norm of images `(B P, C)`, P pixels each, without scale and shift: the channels of an image, in so many
    /// groups of neighbours, have a mean of 0 and a variance of 1. Rows of numbers have one pixel.
    ///
    /// # Panics
    /// If the groups do not divide the channels, or the pixels the rows.
    pub fn normalise(&mut self, name: impl Into<Name>, of: Node, pixels: usize, groups: usize) -> Node {
        let ([rows, channels], name): (_, Name) = (self.shape(of), name.into());
        assert!(channels % groups == 0 && rows % pixels == 0, "{name}: {:?} in {groups} groups", [rows, channels]);
        let [pixels, channels, groups] = [pixels, channels, groups].map(|n| n as u32);
        self.add(Kind::Normalise { of, norm: Norm { pixels, channels, groups } }, [rows, channels as usize], name)
    }

    /// Adds the gradient of a group norm.
    pub(super) fn normalise_back(&mut self, d: Node, of: Node, norm: Norm) -> Node {
        let ([rows, channels], name) = (self.shape(of), self.name(of).to_string());
        let scale = self.result_as(of, 1, [norm.count(rows), 1], format!("{name}.scale"));
        self.add(Kind::NormaliseBack { d, of, scale, norm }, [rows, channels], format!("d_{name} by its norm"))
    }

    /// Adds rows `(R N, C)`: each row of `(R, C)` so many times.
    pub fn repeat(&mut self, name: &str, of: Node, times: usize) -> Node {
        let ([_, cols], [times, one]) = (self.shape(of), [times as u32, 1]);
        self.upsample(name, of, Windows::padded([times, one, cols as u32], [times, one], 1, [0; 2]))
    }
}
