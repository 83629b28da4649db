//! One image file: its header, and its pixels once the header has been found to be plausible.

use std::fs::File;
use std::io::{BufReader, Read, Seek, SeekFrom};
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use image::metadata::Orientation;
use image::{ColorType, DynamicImage, ImageDecoder, ImageFormat, ImageReader, Limits};

use super::bytes;
use super::error::on_one_line;

/// The longest side; JPEG and GIF have no longer ones.
const LONGEST_SIDE: u32 = 65_535;
/// The most pixels, 128 Mi: a photo of 12000x9000 has 103 Mi.
const MAX_PIXELS: u64 = 1 << 27;
/// Pixels that are believed of a file of any size, in bytes.
const ALWAYS_BELIEVED: u64 = 32 << 20;
/// And how many for each byte of it: deflate packs no more than 1032 to 1.
const MAX_PACKED: u64 = 1100;
/// What may be unpacked besides the pixels: colour profiles and texts.
const MAX_BESIDES: u64 = 4 << 20;
/// Images that take more than this are decoded one at a time.
const LARGE: u64 = 64 << 20;

/// Held while a large image is decoded.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

/// The size and colours in a file's header.
pub struct PictureHeader {
    pub height: usize,
    pub width: usize,
    pub grey: bool,
    /// Whether it has more than 256 levels.
    pub is_deep: bool,
}

/// A file whose header was read and found to be plausible.
struct Opened<D> {
    decoder: D,
    /// How cameras were held, from the file.
    turned: Orientation,
    /// Bytes of all pixels.
    size: u64,
}

fn opened(path: &Path, is_known_whole: bool) -> Result<Opened<impl ImageDecoder>, String> {
    // The path is named by whoever reports the reason.
    let (file, length) = bytes::open(path).map_err(|error| match error {
        super::DataError::NotAFile { what, .. } => format!("it is {what}, not a regular file"),
        super::DataError::Read { source, .. } => on_one_line(source),
        other => on_one_line(other),
    })?;
    let mut reader = ImageReader::new(BufReader::new(file)).with_guessed_format().map_err(on_one_line)?;
    match reader.format() {
        None => return Err("its content is not PNG, JPEG, BMP, GIF or WebP".into()),
        Some(_) if is_known_whole => {}
        Some(ImageFormat::Jpeg) => expect_whole_jpeg(path)?,
        Some(ImageFormat::WebP) => expect_whole_webp(path, length)?,
        Some(_) => {}
    }
    let mut limits = Limits::no_limits();
    limits.max_image_width = Some(LONGEST_SIDE);
    limits.max_image_height = Some(LONGEST_SIDE);
    limits.max_alloc = Some(MAX_BESIDES);
    reader.limits(limits.clone());
    let mut decoder = reader.into_decoder().map_err(on_one_line)?;
    let (width, height) = decoder.dimensions();
    if width == 0 || height == 0 {
        return Err("it has no pixels".into());
    }
    if width.max(height) > LONGEST_SIDE || u64::from(width) * u64::from(height) > MAX_PIXELS {
        return Err(format!(
            "it has {height}x{width} pixels, more than can be read: sides up to {LONGEST_SIDE} and {MAX_PIXELS} pixels"
        ));
    }
    let size = decoder.total_bytes();
    if size > ALWAYS_BELIEVED.saturating_add(length.saturating_mul(MAX_PACKED)) {
        return Err(format!("{length} bytes cannot hold the {height}x{width} pixels that its header promises"));
    }
    limits.max_alloc = Some(2 * size + MAX_BESIDES);
    decoder.set_limits(limits).map_err(on_one_line)?;
    let turned = decoder.orientation().unwrap_or(Orientation::NoTransforms);
    Ok(Opened { decoder, turned, size })
}

/// Reads a file's header.
pub fn header(path: &Path) -> Result<PictureHeader, String> {
    use Orientation::{Rotate90, Rotate90FlipH, Rotate270, Rotate270FlipH};
    let Opened { decoder, turned, .. } = opened(path, false)?;
    let (width, height) = decoder.dimensions();
    let on_its_side = matches!(turned, Rotate90 | Rotate90FlipH | Rotate270 | Rotate270FlipH);
    let (width, height) = if on_its_side { (height, width) } else { (width, height) };
    let grey = matches!(decoder.color_type(), ColorType::L8 | ColorType::La8 | ColorType::L16 | ColorType::La16);
    let of_channel = decoder.color_type().bytes_per_pixel() / decoder.color_type().channel_count();
    Ok(PictureHeader { height: height as usize, width: width as usize, grey, is_deep: of_channel > 1 })
}

/// Decodes a file whose header was read before, and hands on the image while no other large one is in memory.
pub fn decoded<T>(path: &Path, with: impl FnOnce(DynamicImage) -> T) -> Result<T, String> {
    let Opened { decoder, turned, size } = opened(path, true)?;
    let _alone = (size > LARGE).then(|| ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner));
    let mut image = DynamicImage::from_decoder(decoder).map_err(on_one_line)?;
    image.apply_orientation(turned);
    Ok(with(image))
}

const CUT_SHORT: &str = "it is cut short: its end is missing";

fn reopened(path: &Path) -> Result<BufReader<File>, String> {
    Ok(BufReader::new(bytes::open(path).map_err(on_one_line)?.0))
}

/// Refuses a JPEG file without its end marker, whose missing part would be decoded as grey.
fn expect_whole_jpeg(path: &Path) -> Result<(), String> {
    let mut content = Vec::new();
    reopened(path)?.read_to_end(&mut content).map_err(on_one_line)?;
    match jpeg_ends(&content) {
        true => Ok(()),
        false => Err(CUT_SHORT.into()),
    }
}

/// Whether the end marker follows the segments and scans of a JPEG file. Segments are skipped by their length, because a
/// preview in one of them has an end marker of its own.
fn jpeg_ends(content: &[u8]) -> bool {
    const START: u8 = 0xd8;
    const END: u8 = 0xd9;
    let mut place = 0;
    while let Some(next) = content.get(place..).and_then(|rest| rest.iter().position(|byte| *byte == 0xff)) {
        place += next + 1;
        let Some(marker) = content.get(place) else { return false };
        match *marker {
            END => return true,
            // A fill byte: the marker follows.
            0xff => continue,
            // In a scan, a level that looks like a marker is followed by 0; restart markers stand alone.
            0x00 | 0x01 | 0xd0..=0xd7 | START => place += 1,
            _ => {
                let Some([high, low]) = content.get(place + 1..place + 3) else { return false };
                place += 1 + usize::from(u16::from_be_bytes([*high, *low])).max(2);
            }
        }
    }
    false
}

/// Refuses a WebP file with a chunk that reaches past its end: the decoder makes room for what the chunk promises.
fn expect_whole_webp(path: &Path, length: u64) -> Result<(), String> {
    const HEADER: u64 = 12;
    let mut file = reopened(path)?;
    let mut place = HEADER;
    while place.saturating_add(8) <= length {
        let mut chunk = [0; 8];
        file.seek(SeekFrom::Start(place)).and_then(|_| file.read_exact(&mut chunk)).map_err(on_one_line)?;
        let size = u64::from(u32::from_le_bytes([chunk[4], chunk[5], chunk[6], chunk[7]]));
        place += 8 + size;
        if place > length {
            return Err(CUT_SHORT.into());
        }
        place = place.next_multiple_of(2);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use image::codecs::jpeg::JpegEncoder;
    use image::{GrayImage, Luma};

    use super::*;

    #[test]
    fn a_jpeg_file_is_whole_only_with_its_last_byte() {
        let picture = GrayImage::from_fn(40, 30, |x, y| Luma([(x * y) as u8]));
        let mut content = Cursor::new(Vec::new());
        JpegEncoder::new(&mut content).encode_image(&picture).unwrap();
        let content = content.into_inner();
        assert!(jpeg_ends(&content));
        assert!((0..content.len()).all(|cut| !jpeg_ends(&content[..cut])));
        // What some cameras append does no harm.
        assert!(jpeg_ends(&[&content[..], b"more"].concat()));
        // The end marker of a preview is not the file's.
        let preview = [&content[..2], &[0xff, 0xe1, 0, 6, 0xff, 0xd9, 1, 2], &content[2..content.len() - 2]].concat();
        assert!(!jpeg_ends(&preview));
    }
}
