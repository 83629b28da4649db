//! `[data]`

use wgvae_data::{
    Channels, Fit, ImageSize, MEL_BANDS, MOST_TOKENS, Missing, NamedKind, Options, RowFormat, SAMPLE_RATES,
    STEPS_PER_BEAT, TextUnit,
};
use wgvae_engine::kernels::batch::Binarise;

use super::Changes::OnResume;
use super::Flag::{Named, Off, On};
use super::KeyGroup::{Augmentation, Levels, Rows, Source};
use super::Range::{Fraction, Positive, Share, Unit, Whole};
use super::{Key, KeyValue, Section, section};

section! {
    /// `[data]`
    DataConfig, Data, data;

    source: String = Options::default().source
        => "strokes, points[:curve|rings|moons], sprites, expressions[:uniform|grammar|dialects], waves, a folder of \
            images, texts, sounds, music or IDX files, or a file"
        .group(Source).flag(Named("data")).value("SPEC").env("WGVAE_DATA").may_change(OnResume)
        .help("strokes, points[:curve|rings|moons], sprites, expressions[:uniform|grammar|dialects], waves, a \
               folder of images, texts, sounds, music or IDX files, or a .csv, .tsv, .parquet, .txt, .jsonl, .npy, \
               .npz, .ts, .wav, .mid or IDX file, or - for stdin (at most 1 GiB)")
        .common().brief("A file, a folder, strokes, points, sprites, expressions, waves, or -");

    #[serde(skip_serializing_if = "RowFormat::is_auto")]
    format: RowFormat = RowFormat::Auto
        => "what the rows of the source are read as"
        .group(Rows).flag(Named("as")).listed()
        .help("Read the source as a table, texts, series or images [default: what its name and its content say]");

    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<String> = None
        => "column of a table, or field of JSON lines, that holds texts"
        .group(Rows).value("COL").example("\"text\"")
        .help("Column of a table, or field of JSON lines, that holds the texts to learn from");

    #[serde(skip_serializing_if = "Vec::is_empty")]
    series: Vec<String> = Vec::new()
        => "columns of a table that tell series and steps apart: that of the series, and that of the time"
        .group(Rows).value("ID,TIME").excludes("text").example("[\"id\", \"time\"]")
        .help("Columns of a table that tell time series and their steps apart, such as id,time: each row is a step");

    #[serde(skip_serializing_if = "TextUnit::is_characters")]
    tokens: TextUnit = TextUnit::Characters
        => "tokens of texts"
        .listed().help("Tokens of texts [default: characters]");

    #[serde(skip_serializing_if = "Option::is_none")]
    vocabulary: Option<usize> = None
        => "most tokens that are told apart, by their count in the training rows"
        .value("N").range(Whole(1, MOST_TOKENS as u64)).logarithmic().not_of_step().otherwise("256 characters or 10000 words")
        .example("1000");

    #[serde(skip_serializing_if = "Option::is_none")]
    max_length: Option<usize> = None
        => "most tokens of a text, or steps of a series; longer ones are left out, and music is cut into rows of so many steps"
        .value("N").range(Whole(1, 65_535)).logarithmic().not_of_step()
        .otherwise("256 characters or bytes, or 64 words; any number of steps, 64 of music").example("100");

    #[serde(skip_serializing_if = "Option::is_none")]
    sample_rate: Option<u32> = None
        => "samples a second that sounds of WAV files are brought to"
        .value("HZ").range(Whole(SAMPLE_RATES[0] as u64, SAMPLE_RATES[1] as u64)).logarithmic().not_of_step()
        .otherwise("the rate of most, and at most 16000, or 8000 where rows are samples").example("16000");

    #[serde(skip_serializing_if = "Option::is_none")]
    mel_bands: Option<usize> = None
        => "bands of the log-mel pictures of sounds"
        .value("N").range(Whole(MEL_BANDS[0] as u64, MEL_BANDS[1] as u64)).logarithmic().not_of_step()
        .otherwise("64").example("64");

    #[serde(skip_serializing_if = "Option::is_none")]
    seconds: Option<f64> = None
        => "how long the row of a sound is: shorter sounds end in silence, and longer ones make several rows"
        .value("S").range(Positive).logarithmic().not_of_step()
        .otherwise("as long as the longest, and at most 4").example("1.5");

    #[serde(skip_serializing_if = "Option::is_none")]
    steps_per_beat: Option<usize> = None
        => "steps of a beat in the piano rolls of MIDI files"
        .value("N").range(Whole(STEPS_PER_BEAT[0] as u64, STEPS_PER_BEAT[1] as u64)).logarithmic().not_of_step()
        .otherwise("4").example("4");

    binarise: Binarise = Binarise::None
        => "how to turn grey levels into 0 and 1"
        .group(Levels).listed().help("Turn grey levels into 0 and 1");

    #[serde(skip_serializing_if = "Option::is_none")]
    label: Option<String> = None
        => "column of a table that holds the class"
        .group(Rows).value("COL").example("\"class\"")
        .common();

    #[serde(skip_serializing_if = "Vec::is_empty")]
    columns: Vec<String> = Vec::new()
        => "columns of a table to learn from"
        .value("NAMES").otherwise("all but the label").example("[\"a\", \"b\"]")
        .common().brief("Columns of a table to learn from");

    #[serde(skip_serializing_if = "Vec::is_empty")]
    drop_columns: Vec<String> = Vec::new()
        => "columns of a table to leave out"
        .value("NAMES").excludes("columns").example("[\"id\"]");

    #[serde(skip_serializing_if = "Vec::is_empty")]
    kinds: Vec<NamedKind> = Vec::new()
        => "kinds of columns, where the kind that was found is not the right one; ignore leaves one out"
        .flag(Named("column")).value("NAME=KIND").example("[\"visits=count\"]")
        .help("What a column of a table is: NAME=number, positive, quantile, count, yes-no, category or ignore \
               [default: what suits its values]")
        .common().brief("Kind of a column, e.g. visits=count");

    #[serde(skip_serializing_if = "Vec::is_empty")]
    missing_words: Vec<String> = Vec::new()
        => "words that stand for missing values, in place of the usual ones; COLUMN=WORD is one more of a column"
        .value("WORDS").hyphens().example("[\"unknown\", \"age=999\"]")
        .help("Words that stand for missing values beside empty cells, separated by commas, in place of NA, null, ? \
               and the like; COLUMN=WORD is one more in one column");

    #[serde(skip_serializing_if = "Option::is_none")]
    rare: Option<f64> = None
        => "words of a smaller share of a column's cells are grouped"
        .value("SHARE").percent().range(Fraction).example("0.005")
        .help("Group words of a smaller share of a column's cells, such as 0.5% [default: the rarest, where there \
               are more than 256]");

    relations: bool = Options::default().relations
        => "look for relations between columns of a table, and keep them in rows that are drawn or filled"
        .flag(Off("no-relations"))
        .help("Do not look for relations between columns of a table, which are kept in rows that are drawn or filled");

    missing: Missing = Missing::default()
        => "keep learns from rows of a table with missing values, drop leaves them out"
        .help("Learn from rows of a table with missing values, or drop them [default: keep]");

    #[serde(skip_serializing_if = "Vec::is_empty")]
    keep_label: Vec<String> = Vec::new()
        => "keep only rows of these classes"
        .group(Rows).value("CLASSES").example("[\"1\"]");

    #[serde(skip_serializing_if = "Vec::is_empty")]
    drop_label: Vec<String> = Vec::new()
        => "drop rows of these classes"
        .group(Rows).value("CLASSES").example("[\"0\"]");

    test_share: f64 = Options::default().test_share
        => "share of the rows held out for testing, if the source has no test rows of its own"
        .value("SHARE").range(Share).because("it is a share of the rows").not_of_step()
        .help("Share of the rows to hold out for testing, if the source has no test rows of its own [default: 0.1]");

    #[serde(skip_serializing_if = "Option::is_none")]
    limit: Option<usize> = None
        => "use at most this many training rows"
        .group(Rows).value("N").range(Whole(1, u64::MAX)).logarithmic().not_of_step().example("1000")
        .help("Use at most N rows, chosen at random by the seed (in training, N training rows)")
        .common().brief("Use at most N rows, chosen at random");

    shift: usize = 0
        => "shift training images at random by up to this many pixels in each direction"
        .group(Augmentation).value("PIXELS").range(Whole(0, 4096))
        .help("Shift training images at random by up to PIXELS in each direction");

    flip: bool = false
        => "mirror training images at random, half of the time"
        .group(Augmentation);

    noise: f32 = 0.0
        => "standard deviation of noise added to the levels of training images, which are in [0, 1]"
        .group(Augmentation).value("X").range(Unit).because("levels are in [0, 1]")
        .help("Add noise of this standard deviation to the levels of training images, which are in [0, 1]");

    balance: bool = false
        => "balance the classes: repeat training rows of the rarer ones"
        .group(Rows).flag(On)
        .help("Balance the classes: repeat rows of the rarer ones (in training, training rows)");

    strict: bool = false
        => "fail on files and rows that cannot be used, instead of skipping them"
        .group(Rows).flag(On).may_change(OnResume);

    #[serde(skip_serializing_if = "Option::is_none")]
    image_size: Option<ImageSize> = None
        => "resize images to this size: height, then width"
        .value("HxW").example("\"64x64\"")
        .help("Resize images to this size, height first [default: theirs; 64x64 or less for images of several sizes \
               or above 256]")
        .common().brief("Resize images to this size, height first");

    #[serde(skip_serializing_if = "Option::is_none")]
    channels: Option<Channels> = None
        => "read images as: grey, rgb; if left out, grey if all images are grey"
        .example("\"rgb\"")
        .help("Read images as grey or rgb [default: grey if all images are grey]");

    fit: Fit = Options::default().fit
        => "how to resize images of another shape"
        .group(Rows).listed().help("How to resize images of another shape [default: crop]");
}
