//! Synthetic contents for pages of runs.

use std::io::Cursor;

use wgvae::data::{Dataset, Values};
use wgvae::report::page::{
    Best, ColumnSummary, Command, Dimension, EpochMetrics, Facts, Figure, Headline, Latent, Notice, Page, Picture,
    Points, Step, Strips,
};
use wgvae::report::{self, PictureSides, latent};

const SIZE: PictureSides = (28, 28, 1);

/// Approximately normal noise, the same on every machine.
pub struct Noise(u64);

impl Noise {
    fn uniform(&mut self) -> f64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 40) as f64 / (1_u64 << 24) as f64
    }

    fn normal(&mut self) -> f64 {
        (0..12).map(|_| self.uniform()).sum::<f64>() - 6.0
    }
}

fn levels(data: &Dataset, rows: std::ops::Range<usize>) -> Vec<f32> {
    let Values::Bytes(bytes) = &data.test.values else { panic!("strokes are levels") };
    let width = data.shape.len();
    bytes[rows.start * width..rows.end * width].iter().map(|b| f32::from(*b) / 255.0).collect()
}

/// Blurs every image slightly, like reconstructions.
fn blurred(levels: &[f32]) -> Vec<f32> {
    let (height, width, _) = SIZE;
    let at = |image: &[f32], y: usize, x: usize| {
        let around = |v: usize, end: usize| v.saturating_sub(1)..(v + 2).min(end);
        let near: Vec<f32> = around(y, height)
            .flat_map(|y| around(x, width).map(move |x| (y, x)))
            .map(|(y, x)| image[y * width + x])
            .collect();
        near.iter().sum::<f32>() / near.len() as f32
    };
    levels
        .chunks(height * width)
        .flat_map(|image| {
            (0..height * width).map(|i| (at(image, i / width, i % width) * 1.2).min(1.0)).collect::<Vec<_>>()
        })
        .collect()
}

/// Steps between images.
fn traversal(levels: &[f32], rows: usize, columns: usize) -> Vec<f32> {
    let images: Vec<&[f32]> = levels.chunks(SIZE.0 * SIZE.1).collect();
    (0..rows * columns)
        .flat_map(|i| {
            let (from, to) = (images[i / columns], images[i / columns + rows]);
            let part = (i % columns) as f32 / (columns - 1) as f32;
            from.iter().zip(to).map(move |(a, b)| a + (b - a) * part)
        })
        .collect()
}

fn picture(title: &str, caption: &str, alt: &str, drawn: image::DynamicImage) -> Picture {
    let mut png = Cursor::new(Vec::new());
    drawn.write_to(&mut png, image::ImageFormat::Png).unwrap();
    Picture { title: title.into(), caption: caption.into(), alt: alt.into(), png: png.into_inner(), is_wide: false }
}

fn curves(page: &mut Page, epochs: usize) {
    let mut noise = Noise(1);
    let settled = |at: f64| 102.0 + 430.0 / (1.0 + at / 12.0).powf(1.25);
    for step in (50..=1563 * epochs as u64 / 10).step_by(50) {
        let at = step as f64;
        let lr = 1e-3 * (1.0 + (at / 1563.0 * std::f64::consts::PI).cos()) / 2.0;
        page.steps.push(Step { step, loss: settled(at) + noise.normal(), lr, beta: (at / 500.0).min(1.0) });
    }
    for epoch in 1..=epochs {
        let at = epoch as f64 * 156.0;
        let kl = 25.4 - 12.0 / epoch as f64;
        let test_loss = settled(at) + 0.4 + noise.normal() * 0.3;
        let train_loss = (settled(at) + settled(at - 100.0)) / 2.0;
        page.epochs.push(EpochMetrics { epoch, train_loss, test_loss, reconstruction: test_loss - kl, kl });
    }
}

/// Latent vectors of ten classes.
fn clusters(dims: usize, rows: usize) -> (Vec<f32>, Vec<u32>) {
    let mut noise = Noise(2);
    let centres: Vec<f64> = (0..10 * dims).map(|i| noise.normal() * 1.6 / (1.0 + (i % dims) as f64 / 4.0)).collect();
    let labels: Vec<u32> = (0..rows).map(|i| (i * 7 % 10) as u32).collect();
    let values = labels
        .iter()
        .flat_map(|label| centres[*label as usize * dims..][..dims].to_vec())
        .map(|centre| (centre + noise.normal() * 0.55) as f32)
        .collect();
    (values, labels)
}

/// A run on images.
pub fn images() -> Page {
    let data = Dataset::load("strokes:count=400").unwrap();
    let originals = levels(&data, 0..40);
    let made = blurred(&originals);
    let (vectors, labels) = clusters(20, 4000);
    let projected = latent::principal(&vectors, 20);
    let map = latent::map(&vectors, 20, &projected.points).unwrap();
    let mut noise = Noise(3);
    let strips = traversal(&made, 8, 11);
    let strips = strips.chunks(11 * SIZE.0 * SIZE.1).enumerate().map(|(i, strip)| {
        let drawn = picture("", "", "", report::grid(strip, SIZE, 11));
        (format!("dimension {}, KL {:.2} nats", i * 7 % 20, 2.6 - i as f64 * 0.3), drawn.png)
    });
    let figure = |name: &str, value: f64, error: Option<f64>, note: &str, best: Best| Figure {
        name: name.into(),
        value,
        error,
        note: note.into(),
        best,
    };
    let mut page = Page {
        title: "dense-strokes".into(),
        facts: Facts {
            model: "784-400-20-400-784 relu, bernoulli, ELBO with beta 1".into(),
            data: "strokes: 20,000 training and 4,000 test images of 28 × 28".into(),
            adapter: "llvmpipe (LLVM 15.0.6, 256 bits), software, Mesa 22.3.6".into(),
            command: Some("wgvae train --preset dense --seed 7 --schedule cosine --beta-warmup-epochs 5".into()),
            date: Some("2026-11-20 16:40 UTC".into()),
            seed: Some(7),
            parameters: Some(652_824),
            steps: Some(1563),
            seconds: Some(192.4),
            steps_per_second: Some(62.5),
            more: vec![("Optimiser".into(), "Adam 1e-3, batch 128".into())],
        },
        headline: Headline {
            test_loss: Some(105.04),
            reconstruction: Some(79.89),
            kl: Some(25.15),
            active: Some((17, 20)),
            bits_per_dimension: Some(0.1933),
            ..Headline::default()
        },
        notices: vec![Notice {
            headline: "Overfits after epoch 32".into(),
            sentence: "The test loss has risen from 13.00 after epoch 32 to 20.10, while the training loss fell."
                .into(),
        }],
        evaluated: vec![
            figure("-ln p(x), nats per row", 99.31, Some(0.6), "500 draws of each row, bernoulli", Best::Lowest),
            figure("Mutual information", 6.2, Some(0.1), "of rows and codes, in nats", Best::Neither),
            figure(
                "Precision",
                0.81,
                None,
                "1000 samples beside as many test rows; features: a classifier",
                Best::Highest,
            ),
        ],
        strips: Some(Strips {
            title: "Traversal".into(),
            caption: "Each row varies one latent dimension.".into(),
            strips: strips.collect(),
        }),
        dimensions: (0..20)
            .map(|i| {
                let kl = if i % 7 == 3 { 0.004 } else { 2.6 - (i * 11 % 20) as f64 * 0.09 + noise.normal() * 0.1 };
                Dimension { kl, is_active: kl > 0.01 }
            })
            .collect(),
        pictures: vec![
            picture(
                "Reconstructions",
                "Test examples, and below each row their reconstructions.",
                "Rows of digits, each followed by a row of their reconstructions",
                report::reconstructions(&originals, &made, SIZE),
            ),
            picture(
                "Samples",
                "Drawn from the prior.",
                "A grid of digits drawn from the model",
                report::grid(&blurred(&levels(&data, 0..80)), SIZE, 10),
            ),
        ],
        latent: Some(Latent {
            axes: projected.captions(),
            points: projected.points,
            labels,
            classes: data.classes.clone(),
            map,
        }),
        config: "[data]\nsource = \"strokes\"\n\n[model]\nhidden = [400]\nlatent = 20\n".into(),
        next: [
            ("Make the same run again", "wgvae train --config runs/dense-strokes/config.toml"),
            ("Draw more samples", "wgvae sample runs/dense-strokes --count 64"),
        ]
        .map(|(purpose, line)| Command { purpose: purpose.into(), line: line.into() })
        .into(),
        ..Page::default()
    };
    curves(&mut page, 10);
    page
}

/// A run on 2-D points.
pub fn points() -> Page {
    let data = Dataset::load("points:moons,count=2000").unwrap();
    let Values::Floats(values) = &data.train.values else { panic!("points are floats") };
    let pairs: Vec<[f32; 2]> = values.chunks_exact(2).map(|p| [p[0], p[1]]).collect();
    let mut noise = Noise(4);
    let samples = pairs.iter().map(|p| p.map(|v| v + noise.normal() as f32 * 0.05)).collect();
    let (vectors, labels) = clusters(2, 2000);
    let mut page = Page {
        title: "points-moons".into(),
        facts: Facts { model: "2-100-2-100-2 relu, gaussian".into(), data: "points:moons".into(), ..Facts::default() },
        headline: Headline { test_loss: Some(-1.27), ..Headline::default() },
        latent: Some(Latent {
            points: latent::principal(&vectors, 2).points,
            labels: labels.iter().map(|l| l % 2).collect(),
            classes: data.classes.clone(),
            axes: ["mu 1".into(), "mu 2".into()],
            map: Vec::new(),
        }),
        points: Some(Points { data: pairs, samples }),
        columns: ["temperature", "pressure", "a column <with> a \"long\" name"]
            .map(|name| ColumnSummary {
                name: name.into(),
                kind: "number".into(),
                mean: Some(12.5),
                deviation: Some(0.3),
                error: Some(0.02),
                r2: Some(0.987),
                right: None,
            })
            .into(),
        ..Page::default()
    };
    curves(&mut page, 50);
    page.steps.iter_mut().for_each(|step| step.lr = 1e-3);
    page
}

/// A run with many values of every kind, and with long names.
pub fn large() -> Page {
    let long = "a-very-long-name-without-any-place-to-break-it-".repeat(4);
    let mut page = images();
    page.title = long.clone();
    page.facts.model = format!("784{}-784 relu", "-4096".repeat(40));
    page.facts.command = Some(format!("wgvae train --out {long} --hidden {}", "4096,".repeat(60)));
    page.facts.more.push((long.clone(), long.clone()));
    page.headline =
        Headline { test_loss: Some(1_234_567.8), kl: Some(1e-9), active: Some((512, 512)), ..Headline::default() };
    curves(&mut page, 3000);
    page.epochs.iter_mut().for_each(|e| e.train_loss *= 1e6);
    let (vectors, labels) = clusters(64, 12_000);
    let projected = latent::principal(&vectors, 64);
    page.latent = Some(Latent {
        axes: projected.captions(),
        points: projected.points,
        labels: labels.iter().enumerate().map(|(i, label)| label + i as u32 % 9 * 10).collect(),
        classes: (0..90).map(|i| format!("{i}-{long:.40}")).collect(),
        map: Vec::new(),
    });
    page.dimensions = (0..512).map(|i| Dimension { kl: f64::from(i) / 100.0, is_active: i > 100 }).collect();
    page.columns = (0..300)
        .map(|i| ColumnSummary {
            name: format!("{long:.60}{i}"),
            kind: "number".into(),
            mean: Some(1e9),
            deviation: Some(1e-9),
            error: Some(-1e12),
            r2: None,
            right: Some(0.5),
        })
        .collect();
    page
}

/// A run with NaN, missing and extreme values.
pub fn broken() -> Page {
    let mut page = images();
    page.title = "</title><script>console.error('a name became a script')</script>".into();
    page.config = "name = \"</pre></details><img src=x>\"".into();
    page.epochs.truncate(1);
    page.steps.iter_mut().skip(3).for_each(|step| step.loss = f64::NAN);
    page.dimensions.iter_mut().for_each(|d| d.kl = f64::INFINITY);
    page.headline.test_loss = Some(f64::NAN);
    page.latent = Some(Latent { points: vec![[f32::NAN, 1.0]], ..Latent::default() });
    page
}
