//! The encoder's and the decoder's layers with all of their sizes: the decoder that mirrors an encoder, and the layer that
//! brings a decoder to the data.

use wgvae_engine::plan::{Activation, Windows};

use super::layer::{ConvKernel, Extent, Layer, Operation, Padding, SizedLayer, SizedOperation};

/// Taps of a transposed convolution to the data, where no encoder says how many.
const OUTPUT_KERNEL: usize = 3;

/// The most layers of an encoder, and of a decoder that is written out.
const MAX_LAYERS: usize = 2000;

/// The layers from an extent on.
fn sized(what: &str, layers: &[Layer], from: Extent, activation: Activation) -> Result<Vec<SizedLayer>, String> {
    if layers.len() > MAX_LAYERS {
        let count = layers.len();
        return Err(format!(
            "the {what} has {count} layers, and no more than {MAX_LAYERS} can be planned: leave some out"
        ));
    }
    let mut at = from;
    let on = |(number, layer): (usize, &Layer)| {
        let sized = layer.on(at, activation);
        let sized = sized.map_err(|why| format!("layer {} of the {what}, `{layer}`: {why}", number + 1))?;
        at = sized.to;
        Ok(sized)
    };
    layers.iter().enumerate().map(on).collect()
}

/// What an encoder takes where values may be missing: at each time of a series, marks of which are stand beside the values. Dense
/// layers take all values of a series at once, and the marks as those of other rows.
pub fn marked(layers: &[Layer], data: Extent) -> Extent {
    let is_dense = |layer: &Layer| matches!(layer.operation, Operation::Dense(_));
    match data {
        Extent::Series { steps, channels, both } if !layers.first().is_none_or(is_dense) => {
            Extent::Series { steps, channels: 2 * channels, both }
        }
        data => data,
    }
}

/// The encoder's layers on the data. Dense layers take the numbers of an image as the data has them.
pub fn encoder(layers: &[Layer], data: Extent, activation: Activation) -> Result<Vec<SizedLayer>, String> {
    let takes_images = layers.first().is_some_and(|layer| !matches!(layer.operation, Operation::Dense(_)));
    let is_text = matches!(data, Extent::Tokens { .. });
    let from = if takes_images || is_text { data } else { Extent::Flat(data.len()) };
    let layers = sized("encoder", layers, from, activation)?;
    let even = |layer: &&SizedLayer| matches!(layer.operation, SizedOperation::Conv1d(kernel) if kernel.size.is_multiple_of(2));
    if let Some(SizedLayer { operation: SizedOperation::Conv1d(kernel), .. }) = layers.iter().find(even) {
        return Err(format!(
            "the encoder has a `conv1d` with {} taps, and its time is the middle of its kernel: give it an odd number of taps",
            kernel.size
        ));
    }
    match layers.last().map_or(from, |layer| layer.to) {
        Extent::Flat(_) | Extent::Image(_) => Ok(layers),
        open => Err(format!(
            "the encoder ends with {open}, and a code is made of numbers: end it with `last` or `mean`, as in {}",
            if is_text { "`embed 64, gru 256, last`" } else { "`gru 64 both, last`" }
        )),
    }
}

/// The norm and the activation before a layer of an encoder, which are behind the layer that mirrors it. Layers with
/// neither are passed over; behind a residual block there is nothing.
fn before(encoder: &[SizedLayer], layer: usize) -> (Option<usize>, Activation) {
    match encoder[..layer].iter().rev().find(|layer| layer.operation.takes_activation()) {
        Some(SizedLayer { operation: SizedOperation::Residual { .. }, .. }) | None => (None, Activation::Identity),
        Some(layer) => (layer.norm, layer.activation),
    }
}

/// The layer that mirrors one of an encoder.
fn mirror(encoder: &[SizedLayer], number: usize) -> Result<SizedLayer, String> {
    let layer = &encoder[number];
    let (from, to) = (layer.to, layer.from);
    let (mut norm, mut activation) = before(encoder, number);
    let operation = match layer.operation {
        SizedOperation::Dense => SizedOperation::Dense,
        SizedOperation::Conv(windows) => SizedOperation::ConvT(windows),
        SizedOperation::ConvT(windows) => SizedOperation::Conv(windows),
        SizedOperation::Pool(windows) | SizedOperation::Up(windows) => {
            let is_pool = matches!(layer.operation, SizedOperation::Pool(_));
            let whole = (0..2).all(|i| windows.positions[i] * windows.stride == windows.image[i]);
            if number == 0 || !whole {
                let [name, mirrored] = if is_pool { ["pool", "up"] } else { ["up", "pool"] };
                return Err(format!(
                    "no `{mirrored}` mirrors `{name} {}` of {to}, which is layer {} of the encoder{}: write the decoder, too",
                    windows.stride,
                    number + 1,
                    if whole { " and has the data itself" } else { " and leaves pixels out" },
                ));
            }
            (norm, activation) = (None, Activation::Identity);
            if is_pool { SizedOperation::Up(windows) } else { SizedOperation::Pool(windows) }
        }
        SizedOperation::Residual { windows: [first, second], groups: [inside, outside] } => {
            (norm, activation) = (None, layer.activation);
            let of = |windows: Windows, channels: usize| {
                let [height, width, _] = windows.image;
                Windows { image: [height, width, channels as u32], ..windows }
            };
            let windows = [of(first, from.pixels().1), of(second, to.pixels().1)];
            SizedOperation::Residual { windows, groups: [outside, inside] }
        }
        // A decoder of sequences is not a mirror: see `of_sequences`.
        SizedOperation::Embed
        | SizedOperation::Recurrent { .. }
        | SizedOperation::Attend(_)
        | SizedOperation::Conv1d(_)
        | SizedOperation::Last
        | SizedOperation::Mean => {
            return Err("a layer of sequences has no mirror: write the decoder, too".into());
        }
    };
    Ok(SizedLayer { from, to, operation, norm, activation })
}

/// The decoder that mirrors an encoder, its layer to the data included.
pub fn mirrored(encoder: &[SizedLayer], latent: usize, data: Extent) -> Result<Vec<SizedLayer>, String> {
    if matches!(data, Extent::Tokens { .. }) {
        return of_sequences(&alike(encoder), data, Activation::Identity);
    }
    if matches!(encoder.first(), Some(SizedLayer { from: Extent::Series { .. }, .. })) {
        let mut layers = alike(encoder);
        layers.reverse();
        return of_series(&layers, latent, data, Activation::Identity);
    }
    let first = encoder.last().map_or(Extent::Flat(data.len()), |layer| layer.to);
    let (norm, activation) = before(encoder, encoder.len());
    let operation = SizedOperation::Dense;
    let mut all = vec![SizedLayer { from: Extent::Flat(latent), to: first, operation, norm, activation }];
    for number in (0..encoder.len()).rev() {
        all.push(match (number, &encoder[number]) {
            // The data has neither a norm nor an activation before it, as a residual block would have.
            (0, SizedLayer { operation: SizedOperation::Residual { .. }, to: Extent::Image(to), .. }) => {
                to_data(Extent::Image(*to), encoder, data)?
            }
            _ => mirror(encoder, number)?,
        });
    }
    Ok(all)
}

/// The decoder's layers from the latent variable on, and the one behind them that brings what they make to the data.
pub fn decoder(
    layers: &[Layer],
    latent: usize,
    encoder: &[SizedLayer],
    data: Extent,
    activation: Activation,
) -> Result<Vec<SizedLayer>, String> {
    if matches!(data, Extent::Tokens { .. }) {
        return of_sequences(layers, data, activation);
    }
    let is_recurrent = |layer: &Layer| matches!(layer.operation, Operation::Recurrent { .. });
    if matches!(data, Extent::Series { .. }) && layers.iter().any(is_recurrent) {
        return of_series(layers, latent, data, activation);
    }
    let mut all = sized("decoder", layers, Extent::Flat(latent), activation)?;
    let at = all.last().map_or(Extent::Flat(latent), |layer| layer.to);
    all.push(to_data(at, encoder, data)?);
    Ok(all)
}

/// The layers of an encoder of sequences that its decoder has as well: embeddings, recurrent layers in one direction,
/// attention and convolutions over times.
fn alike(encoder: &[SizedLayer]) -> Vec<Layer> {
    let layer = |layer: &SizedLayer| {
        let operation = match (layer.operation, layer.to) {
            (SizedOperation::Embed, Extent::Series { channels, .. }) => Operation::Embed(channels),
            (SizedOperation::Recurrent { cell, units, .. }, _) => Operation::Recurrent { cell, units, both: false },
            (SizedOperation::Attend(heads), _) => Operation::Attend(heads),
            (SizedOperation::Conv1d(kernel), _) => {
                let operation = Operation::Conv1d(kernel);
                return Some(Layer { operation, norm: layer.norm, activation: Some(layer.activation) });
            }
            _ => return None,
        };
        Some(Layer { operation, norm: None, activation: None })
    };
    encoder.iter().filter_map(layer).collect()
}

/// A decoder of series: its layers see the code at each time, and a dense one behind them makes the numbers of the time.
fn of_series(layers: &[Layer], latent: usize, data: Extent, activation: Activation) -> Result<Vec<SizedLayer>, String> {
    let Extent::Series { steps, .. } = data else { return Err("there is no series to decode to".into()) };
    if let Some(number) = layers.iter().position(|layer| matches!(layer.operation, Operation::Last | Operation::Mean)) {
        return Err(format!(
            "layer {} of the decoder, `{}`: it ends a series, which a decoder makes: leave `last` and `mean` out",
            number + 1,
            layers[number]
        ));
    }
    let mut all = sized("decoder", layers, Extent::Series { steps, channels: latent, both: false }, activation)?;
    let from = all.last().map_or(data, |layer| layer.to);
    all.push(SizedLayer {
        from,
        to: data,
        operation: SizedOperation::Dense,
        norm: None,
        activation: Activation::Identity,
    });
    Ok(all)
}

/// A decoder of texts: its layers see the token before each, and a dense one behind them makes the logits of the next.
fn of_sequences(layers: &[Layer], data: Extent, activation: Activation) -> Result<Vec<SizedLayer>, String> {
    let Extent::Tokens { steps, vocabulary } = data else { return Err("there are no tokens to decode to".into()) };
    if let Some(number) = layers.iter().position(|layer| match layer.operation {
        Operation::Recurrent { both, .. } => both,
        Operation::Last | Operation::Mean => true,
        _ => false,
    }) {
        return Err(format!(
            "layer {} of the decoder, `{}`: a decoder makes token after token, so it cannot look at later ones: leave \
             `both`, `last` and `mean` out",
            number + 1,
            layers[number]
        ));
    }
    let takes_code = |layer: &Layer| {
        matches!(layer.operation, Operation::Recurrent { .. } | Operation::Attend(_) | Operation::Conv1d(_))
    };
    if !layers.iter().any(takes_code) {
        return Err(
            "the decoder of a text needs a layer that takes the code, `gru`, `lstm`, `attend` or `conv1d`: write it as `embed 64, \
             gru 256`".into()
        );
    }
    let mut all = sized("decoder", layers, data, activation)?;
    let from = all.last().map_or(data, |layer| layer.to);
    let to = Extent::Series { steps, channels: vocabulary, both: false };
    all.push(SizedLayer { from, to, operation: SizedOperation::Dense, norm: None, activation: Activation::Identity });
    Ok(all)
}

/// Makes a decoder's last layer make so many numbers of each value of a row: those of all values, then the next of all; of images so for
/// each pixel.
pub fn widen(decoder: &mut [SizedLayer], outputs: usize) -> Result<(), String> {
    let Some(SizedLayer { operation, to, .. }) = decoder.last_mut() else { return Ok(()) };
    match (&mut *operation, &mut *to) {
        (SizedOperation::Dense, Extent::Series { channels, .. }) => *channels *= outputs,
        (SizedOperation::Dense, to) => *to = Extent::Flat(outputs * to.len()),
        (SizedOperation::Conv(_), Extent::Image([.., channels])) => *channels *= outputs,
        (SizedOperation::ConvT(windows), Extent::Image([.., channels])) => {
            *channels *= outputs;
            windows.image[2] = *channels as u32;
        }
        _ => {
            return Err("a likelihood with several numbers of each value needs a decoder that ends with a dense layer or a convolution".into());
        }
    }
    Ok(())
}

/// Whether a decoder can use an encoder's weights.
pub fn check_tied(encoder: &[SizedLayer], decoder: &[SizedLayer], latent: usize, data: Extent) -> Result<(), String> {
    if encoder.iter().any(|layer| matches!(layer.operation, SizedOperation::Residual { .. })) {
        return Err(
            "weights of residual blocks cannot be tied: leave tied out, or use dense layers and convolutions".into()
        );
    }
    if encoder.iter().any(|layer| matches!(layer.operation, SizedOperation::Recurrent { .. })) {
        return Err("weights of recurrent layers cannot be tied: leave tied out, or use dense layers".into());
    }
    if mirrored(encoder, latent, data).is_ok_and(|mirrored| mirrored == decoder) {
        return Ok(());
    }
    Err("tied weights need a decoder that mirrors the encoder".into())
}

/// The layer that brings what a decoder makes to the data.
fn to_data(from: Extent, encoder: &[SizedLayer], data: Extent) -> Result<SizedLayer, String> {
    // A decoder of images has files with channels first, a dense one has the data as it is.
    let of_images = encoder.first().is_some_and(|layer| matches!(layer.from, Extent::Image(_)));
    let (to, operation) = match (from, data) {
        (Extent::Image(from), Extent::Image(to)) => (data, SizedOperation::ConvT(output(from, to, encoder)?)),
        (_, Extent::Image(_)) if of_images => (data, SizedOperation::Dense),
        _ => (Extent::Flat(data.len()), SizedOperation::Dense),
    };
    Ok(SizedLayer { from, to, operation, norm: None, activation: Activation::Identity })
}

/// The windows of a transposed convolution that brings images to the data's size, with the kernel of the encoder's first.
fn output(from: [usize; 3], to: [usize; 3], encoder: &[SizedLayer]) -> Result<Windows, String> {
    let size = match encoder.first().map(|layer| layer.operation) {
        Some(SizedOperation::Conv(w) | SizedOperation::ConvT(w)) => w.kernel.map(|n| n as usize),
        _ => [OUTPUT_KERNEL; 2],
    };
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
        let kernel = ConvKernel { channels: from[2], size, stride, padding };
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
        let decoder = mirrored(&encoder, 2, GREY).unwrap();
        assert_eq!(extents(&decoder), ["16", "7x7x64", "14x14x32", "28x28x1"]);
        let activations: Vec<&str> = decoder.iter().map(|layer| layer.activation.name()).collect();
        assert_eq!(activations, ["relu", "tanh", "relu", "identity"]);
        // Odd sizes come back as they were.
        let odd = Extent::Image([27, 13, 3]);
        let encoder = super::encoder(&layers(&["conv 8 k4 s3", "conv 8 k3 s2"]), odd, Activation::Relu).unwrap();
        assert_eq!(mirrored(&encoder, 2, odd).unwrap().last().unwrap().to, odd);
        let dense = super::encoder(&layers(&["dense 400"]), GREY, Activation::Relu).unwrap();
        assert_eq!(extents(&mirrored(&dense, 20, GREY).unwrap()), ["400", "784"]);
        assert_eq!(extents(&mirrored(&[], 20, GREY).unwrap()), ["784"]);
    }

    #[test]
    fn no_more_layers_are_taken_than_can_be_planned() {
        let all = vec![Layer::dense(3); MAX_LAYERS + 1];
        let error = encoder(&all, GREY, Activation::Relu).unwrap_err();
        assert!(error.contains("the encoder has 2001 layers, and no more than 2000 can be planned"), "{error}");
        let error = decoder(&all, 2, &[], GREY, Activation::Relu).unwrap_err();
        assert!(error.contains("the decoder has 2001 layers"), "{error}");
        assert!(encoder(&all[1..], GREY, Activation::Relu).is_ok());
    }

    #[test]
    fn pools_blocks_and_norms_are_mirrored() {
        let of = |all: &[&str], data: Extent| {
            let encoder = encoder(&layers(all), data, Activation::Relu)?;
            let decoder = mirrored(&encoder, 2, data)?;
            let behind = |layer: &SizedLayer| format!("{} {:?} {}", layer.to, layer.norm, layer.activation.name());
            Ok::<_, String>(decoder.iter().map(behind).collect::<Vec<_>>())
        };
        let pooled = of(&["conv 8 norm4", "pool 2", "conv 6 silu", "pool 2"], GREY).unwrap();
        let expected = [
            "7x7x6 None silu",
            "14x14x6 None identity",
            "14x14x8 Some(4) relu",
            "28x28x8 None identity",
            "28x28x1 None identity",
        ];
        assert_eq!(pooled, expected);
        let blocks = of(&["res 8 silu", "conv 12 s2 identity", "res 16"], GREY).unwrap();
        let expected =
            ["14x14x16 None identity", "14x14x12 None relu", "28x28x8 None identity", "28x28x1 None identity"];
        assert_eq!(blocks, expected);
        let error = of(&["conv 8", "pool 2"], Extent::Image([7, 8, 1])).unwrap_err();
        assert!(
            error.contains("`pool 2` of 7x8x8, which is layer 2") && error.contains("leaves pixels out"),
            "{error}"
        );
        let error = of(&["up 2", "conv 8"], GREY).unwrap_err();
        assert!(error.contains("no `pool` mirrors `up 2` of 28x28x1") && error.contains("the data itself"), "{error}");
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
