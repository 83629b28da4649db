//! `[train]`

use super::super::{Optimizer, Schedule};
use super::Changes::WhileRunning;
use super::Range::{Fraction, NotNegative, Positive, Whole, ZeroOrPositive};
use super::{Flag, Key, KeyValue, Section, section};

/// The most steps, so that steps times rows fits in 64 bits with room to spare.
const MAX_STEPS: u64 = 1 << 40;

fn is_one(count: &usize) -> bool {
    *count == 1
}

section! {
    /// `[train]`
    TrainConfig, Train, train;

    epochs: usize = 10
        => "passes over the training data"
        .value("N").range(Whole(0, 1_000_000)).excludes("steps").logarithmic().may_change(WhileRunning).not_of_step()
        .common();

    #[serde(skip_serializing_if = "Option::is_none")]
    steps: Option<u64> = None
        => "training steps, instead of epochs"
        .value("N").range(Whole(1, MAX_STEPS)).because("without steps there is nothing to do")
        .reset_by(&["epochs"]).logarithmic().may_change(WhileRunning).not_of_step().example("10000");

    #[serde(skip_serializing_if = "Option::is_none")]
    patience: Option<usize> = None
        => "epochs without a smaller test loss, beta having risen, after which training stops"
        .value("EPOCHS").range(Whole(1, u64::MAX)).because("left out, training goes on to its end")
        .logarithmic().may_change(WhileRunning).not_of_step().example("20")
        .help("Stop after this many epochs without a smaller test loss, not counting those in which beta or the \
               capacity rises [default: train to the end]");

    batch: usize = 128
        => "rows per batch"
        .value("N").range(Whole(1, 65_535)).logarithmic()
        .because("a batch needs at least one row, and each row one of the 65535 workgroups of a dispatch")
        .common();

    #[serde(skip_serializing_if = "is_one")]
    buckets: usize = 1
        => "most groups of training texts by their lengths: a step of short texts is short"
        .value("N").range(Whole(1, 16)).because("each group costs a plan, and more than 16 save next to nothing")
        .example("3");

    optimizer: Optimizer = Optimizer::Adam
        => "optimiser"
        .listed().help("The optimiser");

    lr: f64 = 1e-3
        => "learning rate"
        .value("X").range(Positive).logarithmic()
        .common();

    schedule: Schedule = Schedule::Constant
        => "how the learning rate changes"
        .listed().not_of_step();

    warmup_steps: u64 = 0
        => "steps over which the learning rate rises from 0"
        .value("STEPS").range(Whole(0, MAX_STEPS)).not_of_step();

    #[serde(skip_serializing_if = "Option::is_none")]
    lr_step_epochs: Option<usize> = None
        => "epochs between drops of the learning rate, for `schedule` step"
        .value("EPOCHS").range(Whole(1, u64::MAX)).of("schedule", &["step"]).logarithmic().not_of_step().example("10");

    lr_gamma: f64 = 0.1
        => "factor for each drop of the learning rate, for `schedule` step"
        .value("X").range(Positive).logarithmic().not_of_step();

    momentum: f32 = 0.0
        => "momentum of sgd"
        .value("X").range(Fraction).of("optimizer", &["sgd"]).note(" (Adam has beta1 in its place)")
        .help("Momentum of SGD");

    nesterov: bool = false
        => "use Nesterov momentum, for `optimizer` sgd"
        .reset_by(&["optimizer"]);

    beta1: f32 = 0.9
        => "Adam's decay of the first moment"
        .range(Fraction).flag(Flag::None);

    beta2: f32 = 0.999
        => "Adam's decay of the second moment"
        .range(Fraction).flag(Flag::None);

    epsilon: f32 = 1e-8
        => "added to Adam's denominator"
        .range(Positive).logarithmic().flag(Flag::None);

    weight_decay: f32 = 0.0
        => "weight decay"
        .value("X").range(NotNegative).logarithmic();

    #[serde(skip_serializing_if = "Option::is_none")]
    clip: Option<f32> = None
        => "clip the gradient to this norm"
        .value("NORM").range(ZeroOrPositive).because("0 is for no clipping").logarithmic().example("1.0")
        .help("Clip the gradient to this norm; 0 for no clipping");

    seed: u64 = 0
        => "seed of every random choice (initial weights, order of the rows, draws)"
        .value("N").env("WGVAE_SEED").not_of_step()
        .common().brief("Seed of every random choice");
}
