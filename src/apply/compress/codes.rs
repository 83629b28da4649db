//! Codes rounded to a few bits each: rows in fewer bytes than their negative ELBO, that come back as what the decoder makes of them.

use xxhash_rust::xxh3::xxh3_64;

use super::masses::NormalGrid;
use crate::apply::{PriorMixture, RunError, TrainedModel};

/// What a file begins with: its format.
const FORMAT: &[u8; 4] = b"wgc1";

/// The most bits of a number.
pub const MAX_BITS: u32 = 12;

/// Codes of rows, each number of which is one of the places that a dimension has: medians of parts that are equally probable under a
/// normal with the moments of the prior.
#[derive(Debug, Clone, PartialEq)]
pub struct RoundedCodes {
    /// Bits of each number.
    pub bits: u32,
    /// Latent dimensions.
    pub latent: usize,
    /// A checksum of the model's weights.
    pub model: u64,
    /// `(N, Z)`
    pub places: Vec<u16>,
}

impl RoundedCodes {
    /// Rounds codes `(N, Z)` to so many bits each.
    pub fn of(model: &mut TrainedModel, codes: &[f32], bits: u32) -> Result<Self, RunError> {
        let grid = NormalGrid::new(bits);
        let latent = model.latent();
        let (mean, deviation) = model.prior().moments();
        let place =
            |(i, x): (usize, &f32)| grid.place((f64::from(*x) - mean[i % latent]) / deviation[i % latent]) as u16;
        let places = codes.iter().enumerate().map(place).collect();
        Ok(Self { bits, latent, model: model.checksum()?, places })
    }

    /// The codes `(N, Z)` that the places stand for.
    pub fn values(&self, prior: &PriorMixture) -> Vec<f32> {
        let grid = NormalGrid::new(self.bits);
        let (mean, deviation) = prior.moments();
        let value = |(i, place): (usize, &u16)| {
            let i = i % self.latent;
            (mean[i] + deviation[i] * grid.value((*place).into())) as f32
        };
        self.places.iter().enumerate().map(value).collect()
    }

    /// The values, for the model that they were made with.
    pub fn values_for(&self, model: &mut TrainedModel) -> Result<Vec<f32>, RunError> {
        match model.checksum()? == self.model && self.latent == model.latent() {
            true => Ok(self.values(model.prior())),
            false => Err(RunError::Unfit(format!(
                "the codes were made with another model than that of {}: give the run that they were made with",
                model.files()
            ))),
        }
    }

    /// The bytes of a file.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = FORMAT.to_vec();
        bytes.push(self.bits as u8);
        bytes.extend((self.latent as u32).to_le_bytes());
        bytes.extend((self.places.len() as u64 / self.latent.max(1) as u64).to_le_bytes());
        bytes.extend(self.model.to_le_bytes());
        let (mut held, mut count) = (0_u32, 0);
        for place in &self.places {
            held |= u32::from(*place) << count;
            count += self.bits;
            while count >= 8 {
                bytes.push(held as u8);
                held >>= 8;
                count -= 8;
            }
        }
        if count > 0 {
            bytes.push(held as u8);
        }
        bytes.extend(xxh3_64(&bytes).to_le_bytes());
        bytes
    }

    /// Reads them; says what is wrong with them.
    pub fn of_bytes(bytes: &[u8]) -> Result<Self, String> {
        let damaged = "it is damaged: its checksum is wrong";
        let (content, sum) = bytes.split_last_chunk::<8>().ok_or(damaged)?;
        let rest = content
            .strip_prefix(FORMAT)
            .ok_or("it does not hold codes of few bits, or was written by a newer version")?;
        if xxh3_64(content).to_le_bytes() != *sum {
            return Err(damaged.into());
        }
        let (bits, rest) = rest.split_first().ok_or(damaged)?;
        let (latent, rest) = rest.split_first_chunk::<4>().ok_or(damaged)?;
        let (rows, rest) = rest.split_first_chunk::<8>().ok_or(damaged)?;
        let (model, packed) = rest.split_first_chunk::<8>().ok_or(damaged)?;
        let (bits, latent) = (u32::from(*bits), u32::from_le_bytes(*latent) as usize);
        let count = u128::from(u64::from_le_bytes(*rows)) * latent as u128;
        if !(1..=MAX_BITS).contains(&bits) || (count * u128::from(bits)).div_ceil(8) != packed.len() as u128 {
            return Err("it is damaged: its size is not what it says".into());
        }
        let (mut held, mut have, mut packed) = (0_u32, 0, packed.iter());
        let place = || {
            while have < bits {
                held |= u32::from(*packed.next().unwrap_or(&0)) << have;
                have += 8;
            }
            let place = held & ((1 << bits) - 1);
            held >>= bits;
            have -= bits;
            place as u16
        };
        let places = std::iter::repeat_with(place).take(count as usize).collect();
        Ok(Self { bits, latent, model: u64::from_le_bytes(*model), places })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_read_as_they_were_written() {
        for bits in 1..=MAX_BITS {
            let places: Vec<u16> =
                (0..7 * 31).map(|i: u32| (i.wrapping_mul(2_654_435_761) >> (32 - bits)) as u16).collect();
            let codes = RoundedCodes { bits, latent: 7, model: 99, places };
            let bytes = codes.to_bytes();
            assert_eq!(bytes.len(), 33 + (7 * 31 * bits as usize).div_ceil(8));
            assert_eq!(RoundedCodes::of_bytes(&bytes), Ok(codes), "{bits}");
            for cut in 0..bytes.len() {
                assert!(RoundedCodes::of_bytes(&bytes[..cut]).is_err(), "{cut}");
            }
            let mut bent = bytes.clone();
            bent[9] ^= 1;
            assert!(RoundedCodes::of_bytes(&bent).is_err());
            // A file that somebody made up, with a right checksum.
            let end = bent.len() - 8;
            let sum = xxh3_64(&bent[..end]).to_le_bytes();
            bent[end..].copy_from_slice(&sum);
            assert!(RoundedCodes::of_bytes(&bent).unwrap_err().contains("size"));
        }
    }
}
