//! The encoder's and the decoder's layers with all of their sizes: the decoder that mirrors an encoder, and the layer that
//! brings a decoder to the data.

use super::layer::{Direction, Extent, Kernel, Layer, Operation, Padding, SizedLayer};
use crate::plan::{Activation, Windows};

/// Taps of a transposed convolution to the data, where no encoder says how many.
const OUTPUT_KERNEL: usize = 3;

/// The layers from an extent on.
fn sized(what: &str, layers: &[Layer], from: Extent, activation: Activation) -> Result<Vec<SizedLayer>, String> {
    let mut at = from;
    let on = |(number, layer): (usize, &Layer)| {
        let sized = layer.on(at, activation);
        let sized = sized.map_err(|why| format!("layer {} of the {what}, `{layer}`: {why}", number + 1))?;
        at = sized.to;
        Ok(sized)
    };
    layers.iter().enumerate().map(on).collect()
}

/// The encoder's layers on the data. Dense layers take the numbers of an image as the data has them.
pub fn encoder(layers: &[Layer], data: Extent, activation: Activation) -> Result<Vec<SizedLayer>, String> {
    let takes_images = layers.first().is_some_and(|layer| !matches!(layer.operation, Operation::Dense(_)));
    sized("encoder", layers, if takes_images { data } else { Extent::Flat(data.len()) }, activation)
}

/// The decoder that mirrors an encoder, its layer to the data included.
pub fn mirrored(encoder: &[SizedLayer], latent: usize, data: Extent) -> Vec<SizedLayer> {
    let first = encoder.last().map_or(Extent::Flat(data.len()), |layer| layer.to);
    let before = |layer: usize| match layer.checked_sub(1) {
        Some(before) => encoder[before].activation,
        None => Activation::Identity,
    };
    let from_latent =
        SizedLayer { from: Extent::Flat(latent), to: first, windows: None, activation: before(encoder.len()) };
    let mirror = |(number, layer): (usize, &SizedLayer)| SizedLayer {
        from: layer.to,
        to: layer.from,
        windows: layer.windows.map(|(direction, windows)| match direction {
            Direction::Forward => (Direction::Back, windows),
            Direction::Back => (Direction::Forward, windows),
        }),
        activation: before(number),
    };
    std::iter::once(from_latent).chain(encoder.iter().enumerate().rev().map(mirror)).collect()
}

/// The decoder's layers from the latent variable on, and the one behind them that brings what they make to the data.
pub fn decoder(
    layers: &[Layer],
    latent: usize,
    encoder: &[SizedLayer],
    data: Extent,
    activation: Activation,
) -> Result<Vec<SizedLayer>, String> {
    let mut all = sized("decoder", layers, Extent::Flat(latent), activation)?;
    let at = all.last().map_or(Extent::Flat(latent), |layer| layer.to);
    // A decoder of images has files with channels first, a dense one has the data as it is.
    let of_images = encoder.first().is_some_and(|layer| matches!(layer.from, Extent::Image(_)));
    let (to, windows) = match (at, data) {
        (Extent::Image(from), Extent::Image(to)) => (data, Some((Direction::Back, output(from, to, encoder)?))),
        (_, Extent::Image(_)) if of_images => (data, None),
        _ => (Extent::Flat(data.len()), None),
    };
    all.push(SizedLayer { from: at, to, windows, activation: Activation::Identity });
    Ok(all)
}

/// The windows of a transposed convolution that brings images to the data's size, with the kernel of the encoder's first.
fn output(from: [usize; 3], to: [usize; 3], encoder: &[SizedLayer]) -> Result<Windows, String> {
    let first = encoder.first().and_then(|layer| layer.windows).map(|(_, windows)| windows);
    let size = first.map_or([OUTPUT_KERNEL; 2], |w| w.kernel.map(|n| n as usize));
    let stride = to[0].div_ceil(from[0]);
    let refused = || {
        let [[h, w, c], [height, width, channels]] = [from, to];
        format!(
            "the decoder ends with {h}x{w}x{c}, and no transposed convolution with the same stride down and across makes \
             {height}x{width}x{channels} of that: end it with images whose size is the data's divided by a whole number"
        )
    };
    for padding in [Padding::Half, Padding::Same] {
        // The convolution that it transposes makes its input of the data.
        let kernel = Kernel { channels: from[2], size, stride, padding };
        let (made, windows) = kernel.forward(Extent::Image(to)).map_err(|_| refused())?;
        if made == Extent::Image(from) {
            return Ok(windows);
        }
    }
    Err(refused())
}

#[cfg(test)]
mod tests {
    use super::*;

    const GREY: Extent = Extent::Image([28, 28, 1]);

    fn layers(all: &[&str]) -> Vec<Layer> {
        all.iter().map(|layer| layer.parse().unwrap()).collect()
    }

    fn extents(layers: &[SizedLayer]) -> Vec<String> {
        layers.iter().map(|layer| layer.to.to_string()).collect()
    }

    #[test]
    fn a_decoder_mirrors_its_encoder() {
        let of = layers(&["conv 32 k3 s2", "conv 64 k3 s2 tanh", "dense 16"]);
        let encoder = encoder(&of, GREY, Activation::Relu).unwrap();
        assert_eq!(extents(&encoder), ["14x14x32", "7x7x64", "16"]);
        let decoder = mirrored(&encoder, 2, GREY);
        assert_eq!(extents(&decoder), ["16", "7x7x64", "14x14x32", "28x28x1"]);
        let activations: Vec<&str> = decoder.iter().map(|layer| layer.activation.name()).collect();
        assert_eq!(activations, ["relu", "tanh", "relu", "identity"]);
        // Odd sizes come back as they were.
        let odd = Extent::Image([27, 13, 3]);
        let encoder = super::encoder(&layers(&["conv 8 k4 s3", "conv 8 k3 s2"]), odd, Activation::Relu).unwrap();
        assert_eq!(mirrored(&encoder, 2, odd).last().unwrap().to, odd);
        let dense = super::encoder(&layers(&["dense 400"]), GREY, Activation::Relu).unwrap();
        assert_eq!(extents(&mirrored(&dense, 20, GREY)), ["400", "784"]);
        assert_eq!(extents(&mirrored(&[], 20, GREY)), ["784"]);
    }

    #[test]
    fn the_output_layer_follows_from_the_data() {
        let first = encoder(&layers(&["conv 32 k3 s2"]), GREY, Activation::Relu).unwrap();
        let of = |all: &[&str], encoder: &[SizedLayer], data: Extent| {
            decoder(&layers(all), 2, encoder, data, Activation::Relu).map(|layers| extents(&layers).join(" "))
        };
        let keras = of(&["dense 7x7x64", "conv-t 64 k3 s2", "conv-t 32 k3 s2"], &first, GREY).unwrap();
        assert_eq!(keras, "7x7x64 14x14x64 28x28x32 28x28x1");
        assert_eq!(of(&["dense 7x7x64", "conv-t 32 k3 s2"], &first, GREY).unwrap(), "7x7x64 14x14x32 28x28x1");
        assert_eq!(of(&["dense 50"], &first, GREY).unwrap(), "50 28x28x1");
        assert_eq!(of(&["dense 50"], &[], GREY).unwrap(), "50 784");
        assert_eq!(of(&["dense 4x4x8"], &first, Extent::Flat(9)).unwrap(), "4x4x8 9");
        let error = of(&["dense 5x9x4"], &first, GREY).unwrap_err();
        assert!(error.contains("ends with 5x9x4") && error.contains("28x28x1"), "{error}");
        let error = encoder(&layers(&["dense 8", "conv 4"]), GREY, Activation::Relu).unwrap_err();
        assert!(error.starts_with("layer 2 of the encoder, `conv 4 k3 s1`: it takes images, but 8 numbers"), "{error}");
    }
}
