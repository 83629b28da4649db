//! What is said of a key.

use toml::Value;

use super::super::{Config, ConfigError};
use super::{Range, ValueType};

/// A section of the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Section {
    /// `[data]`
    Data,
    /// `[model]`
    Model,
    /// `[train]`
    Train,
}

impl Section {
    /// Every section, in the order of the file.
    pub const ALL: [Section; 3] = [Section::Data, Section::Model, Section::Train];

    /// The name in the file.
    pub fn name(self) -> &'static str {
        match self {
            Section::Data => "data",
            Section::Model => "model",
            Section::Train => "train",
        }
    }
}

/// The subject of a key, in the order of the help; groups with one heading stand together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum KeyGroup {
    /// Where rows come from.
    Source,
    /// The rows of a source that are taken: commands that apply a model have these keys, too.
    Rows,
    /// How a source is read: every command that reads one asks for these, too.
    Reading,
    /// How training images are changed at random.
    Augmentation,
    /// Changes of levels before the model sees them.
    Levels,
    /// The network.
    Model,
    /// The loss that training minimises.
    Loss,
    /// How training goes on.
    Training,
}

impl KeyGroup {
    /// The heading in the help.
    pub fn heading(self) -> &'static str {
        match self {
            KeyGroup::Source | KeyGroup::Rows | KeyGroup::Reading | KeyGroup::Augmentation | KeyGroup::Levels => "Data",
            KeyGroup::Model => "Model",
            KeyGroup::Loss => "Loss",
            KeyGroup::Training => "Training",
        }
    }
}

/// The flag of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flag {
    /// The key's name, with dashes.
    Own,
    /// Another name.
    Named(&'static str),
    /// The key's name, without a value: it turns the key on.
    On,
    /// Another name, without a value: it turns the key off.
    Off(&'static str),
    /// Only a file sets the key.
    None,
}

/// Until when a key may change, from the strictest to the freest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Changes {
    /// The parameters depend on it: another value is another model.
    Never,
    /// A fork may change it, as long as the parameters stay as they are.
    InFork,
    /// A run that goes on may change it.
    OnResume,
    /// A run may change it while it goes on.
    WhileRunning,
}

/// How the values of a key are best spread, for instance by a search.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyScale {
    /// Equal differences matter alike.
    Linear,
    /// Equal ratios matter alike.
    Logarithmic,
}

/// Choices among those of another key.
#[derive(Debug, Clone, Copy)]
pub enum Choices {
    /// The choices of these names.
    Named(&'static [&'static str]),
    /// The choices whose names this function gives.
    Listed(fn() -> Vec<&'static str>),
}

impl Choices {
    /// The names of the choices.
    pub fn names(self) -> Vec<&'static str> {
        match self {
            Choices::Named(names) => names.to_vec(),
            Choices::Listed(names) => names(),
        }
    }
}

/// The choice that a key belongs to. Without it the key has no effect and is refused, and where the choice changes, the
/// key is left behind.
#[derive(Debug, Clone, Copy)]
pub struct Belongs {
    /// The key with the choice.
    pub to: &'static str,
    /// The choices under which this key has an effect.
    pub choices: Choices,
    /// A remark on these choices, which follows their names.
    pub note: &'static str,
}

/// A key of the configuration.
#[derive(Debug, Clone, Copy)]
pub struct Key {
    /// The section that it is in.
    pub section: Section,
    /// The name in the file, which is that of the field.
    pub name: &'static str,
    /// The type of the value.
    pub value_type: ValueType,
    /// A sentence that says what the key is: it begins in lower case, and names other keys in backticks.
    pub sentence: &'static str,
    /// The text for the help, where the sentence does not suit a command line.
    help: Option<&'static str>,
    /// The text for the short help, where that for `--help-all` is too long.
    brief: Option<&'static str>,
    /// Whether the short help has the flag.
    pub is_common: bool,
    /// The text for the key's absence, where no value stands for that.
    otherwise: Option<&'static str>,
    /// Whether the names of the choices follow the sentence in a file.
    is_listed: bool,
    /// A value as it is written in a file, for keys without one.
    example: &'static str,
    /// The subject of the key.
    pub group: KeyGroup,
    /// The flag on the command line.
    pub flag: Flag,
    /// The name of the value in `--help`; without one, the name of the flag stands there.
    pub value_name: Option<&'static str>,
    /// The variable of the environment that sets the key.
    pub env: Option<&'static str>,
    /// The key whose flag cannot be given beside this one's.
    pub excludes: Option<&'static str>,
    /// Whether the command line takes the value in percent, too.
    pub is_percent: bool,
    /// Whether a value may begin with a hyphen on the command line.
    pub takes_hyphens: bool,
    /// The values that the key may have.
    pub range: Range,
    /// Why the value must lie in this range.
    why: &'static str,
    /// The choice that the key belongs to.
    pub belongs: Option<Belongs>,
    /// Other keys whose change leaves this one behind.
    pub reset_by: &'static [&'static str],
    /// How values are best spread.
    pub scale: KeyScale,
    /// Until when the key may change.
    pub changes: Changes,
    /// Whether a single step of training depends on it.
    pub is_of_step: bool,
    get: fn(&Config) -> Option<Value>,
    set: fn(&mut Config, Option<Value>) -> Result<(), String>,
}

/// The methods that an entry calls, each of which says one thing of the key.
impl Key {
    /// A key of which nothing else is said.
    pub(super) const fn new(
        section: Section,
        name: &'static str,
        value_type: ValueType,
        sentence: &'static str,
        get: fn(&Config) -> Option<Value>,
        set: fn(&mut Config, Option<Value>) -> Result<(), String>,
    ) -> Self {
        let group = match section {
            Section::Data => KeyGroup::Reading,
            Section::Model => KeyGroup::Loss,
            Section::Train => KeyGroup::Training,
        };
        Self {
            section,
            name,
            value_type,
            sentence,
            help: None,
            brief: None,
            is_common: false,
            otherwise: None,
            is_listed: false,
            example: "",
            group,
            flag: Flag::Own,
            value_name: None,
            env: None,
            excludes: None,
            is_percent: false,
            takes_hyphens: false,
            range: Range::Any,
            why: "",
            belongs: None,
            reset_by: &[],
            scale: KeyScale::Linear,
            changes: Changes::InFork,
            is_of_step: true,
            get,
            set,
        }
    }

    pub(super) const fn group(self, group: KeyGroup) -> Self {
        Self { group, ..self }
    }

    pub(super) const fn flag(self, flag: Flag) -> Self {
        Self { flag, ..self }
    }

    pub(super) const fn value(self, name: &'static str) -> Self {
        Self { value_name: Some(name), ..self }
    }

    pub(super) const fn help(self, help: &'static str) -> Self {
        Self { help: Some(help), ..self }
    }

    /// Puts the flag into the short help of the commands that have it.
    pub(super) const fn common(self) -> Self {
        Self { is_common: true, ..self }
    }

    pub(super) const fn brief(self, brief: &'static str) -> Self {
        Self { brief: Some(brief), ..self }
    }

    pub(super) const fn otherwise(self, otherwise: &'static str) -> Self {
        Self { otherwise: Some(otherwise), ..self }
    }

    pub(super) const fn listed(self) -> Self {
        Self { is_listed: true, ..self }
    }

    pub(super) const fn example(self, example: &'static str) -> Self {
        Self { example, ..self }
    }

    pub(super) const fn env(self, variable: &'static str) -> Self {
        Self { env: Some(variable), ..self }
    }

    pub(super) const fn excludes(self, other: &'static str) -> Self {
        Self { excludes: Some(other), ..self }
    }

    pub(super) const fn percent(self) -> Self {
        Self { is_percent: true, ..self }
    }

    pub(super) const fn hyphens(self) -> Self {
        Self { takes_hyphens: true, ..self }
    }

    pub(super) const fn range(self, range: Range) -> Self {
        Self { range, ..self }
    }

    pub(super) const fn because(self, why: &'static str) -> Self {
        Self { why, ..self }
    }

    pub(super) const fn of(self, to: &'static str, choices: &'static [&'static str]) -> Self {
        Self { belongs: Some(Belongs { to, choices: Choices::Named(choices), note: "" }), ..self }
    }

    pub(super) const fn of_those(self, to: &'static str, choices: fn() -> Vec<&'static str>) -> Self {
        Self { belongs: Some(Belongs { to, choices: Choices::Listed(choices), note: "" }), ..self }
    }

    /// Sets a remark on the choices that the key belongs to.
    pub(super) const fn note(self, note: &'static str) -> Self {
        match self.belongs {
            Some(belongs) => Self { belongs: Some(Belongs { note, ..belongs }), ..self },
            None => self,
        }
    }

    pub(super) const fn reset_by(self, keys: &'static [&'static str]) -> Self {
        Self { reset_by: keys, ..self }
    }

    pub(super) const fn logarithmic(self) -> Self {
        Self { scale: KeyScale::Logarithmic, ..self }
    }

    pub(super) const fn may_change(self, changes: Changes) -> Self {
        Self { changes, ..self }
    }

    pub(super) const fn not_of_step(self) -> Self {
        Self { is_of_step: false, ..self }
    }
}

/// The methods that read an entry.
impl Key {
    /// The value in a configuration; none where the key has none.
    pub fn get(&self, config: &Config) -> Option<Value> {
        (self.get)(config)
    }

    /// Sets the value in a configuration, which is not validated; `None` is no value, for keys that may have none.
    pub fn set(&self, config: &mut Config, value: Option<Value>) -> Result<(), ConfigError> {
        (self.set)(config, value).map_err(|reason| self.refused(format!("{}: {reason}", self.name)))
    }

    /// The value as long as nobody sets it.
    pub fn default(&self) -> Option<Value> {
        self.get(&Config::default())
    }

    /// The keys whose change leaves this one behind.
    pub fn is_reset_by(&self) -> impl Iterator<Item = &'static str> {
        self.belongs.map(|belongs| belongs.to).into_iter().chain(self.reset_by.iter().copied())
    }

    /// A value to show: the default, or an example as it is written in a file.
    pub fn example_text(&self) -> String {
        match self.default() {
            Some(value) if self.example.is_empty() => value.to_string(),
            _ => self.example.into(),
        }
    }

    /// The flag, without its dashes in front; none where only a file sets the key.
    pub fn flag_name(&self) -> Option<String> {
        match self.flag {
            Flag::Own | Flag::On => Some(self.name.replace('_', "-")),
            Flag::Named(name) | Flag::Off(name) => Some(name.into()),
            Flag::None => None,
        }
    }

    /// Describes the key in a file: other keys have their names.
    pub fn comment(&self) -> String {
        self.described().replace('`', "")
    }

    /// Describes the key, with other keys in backticks.
    pub fn described(&self) -> String {
        let mut text = self.sentence.to_string();
        if let (ValueType::Choice(choices), true) = (self.value_type, self.is_listed) {
            let names: Vec<&str> = choices().into_iter().map(|[name, _]| name).collect();
            text += &format!(": {}", names.join(", "));
        }
        if let Some(otherwise) = self.otherwise {
            text += &format!("; {otherwise} if left out");
        }
        text
    }

    /// Describes the key on the command line: other keys have their flags.
    pub fn help_text(&self) -> String {
        if let Some(help) = self.help {
            return help.into();
        }
        let mut text = String::new();
        for (number, part) in self.sentence.split('`').enumerate() {
            match super::find(part).and_then(Key::flag_name).filter(|_| number % 2 == 1) {
                Some(flag) => text += &format!("--{flag}"),
                None => text += part,
            }
        }
        if let Some(first) = text.get(..1) {
            text.replace_range(..1, &first.to_uppercase());
        }
        if matches!(self.value_type, ValueType::Words) {
            text += ", separated by commas";
        }
        if let Some(otherwise) = self.otherwise {
            text += &format!(" [default: {otherwise}]");
        }
        text
    }

    /// Describes the key in the short help.
    pub fn brief_text(&self) -> String {
        self.brief.map_or_else(|| self.help_text(), str::to_string)
    }

    fn refused(&self, reason: String) -> ConfigError {
        ConfigError::Refused { keys: vec![self.name], reason }
    }

    /// Refuses a value that is out of range.
    pub(in super::super) fn check_range(&self, config: &Config) -> Result<(), ConfigError> {
        let Some((value, sentence)) = self.get(config).zip(self.range.sentence()) else { return Ok(()) };
        if self.range.contains(&value) {
            return Ok(());
        }
        let why = if self.why.is_empty() { String::new() } else { format!(": {}", self.why) };
        let value = match value {
            // TOML would write all zeros of a small number.
            Value::Float(number) => format!("{number:?}"),
            value => value.to_string(),
        };
        Err(self.refused(format!("{} is {value}, and must be {sentence}{why}", self.name)))
    }

    /// Refuses a value that has no effect, since the choice is not made that the key belongs to.
    pub(in super::super) fn check_belongs(&self, config: &Config) -> Result<(), ConfigError> {
        let Some(Belongs { to, choices, note }) = self.belongs else { return Ok(()) };
        let made = super::find(to).and_then(|key| key.get(config));
        let made = made.as_ref().and_then(Value::as_str).unwrap_or_default();
        let names = choices.names();
        if names.contains(&made) || self.get(config) == self.default() {
            return Ok(());
        }
        let (plural, all, choose) = match &names[..] {
            [one] => ("", one.to_string(), *one),
            [first @ .., last] => ("s", format!("{} and {last}", first.join(", ")), "one of them"),
            [] => return Ok(()),
        };
        let name = self.name;
        let reason = format!(
            "{name} is of the {to}{plural} {all}{note}, and {to} is {made}: choose {choose}, or leave {name} out"
        );
        Err(ConfigError::Refused { keys: vec![name, to], reason })
    }
}
