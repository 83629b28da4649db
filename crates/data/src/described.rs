//! Choices that are made by name.

/// Defines an enum of choices: for each its name in configurations and on the command line, and a sentence without its full stop. The
/// sentence is the documentation of the choice, and what `--help` says of it. The enum has `ALL`, `name`, and `described` with both.
#[macro_export]
#[doc(hidden)]
macro_rules! described {
    (
        $(#[$meta:meta])*
        pub enum $choice:ident {
            $($(#[$of_variant:meta])* $variant:ident = $name:literal: $meaning:literal,)*
        }
    ) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
        pub enum $choice {
            $(#[doc = $meaning] #[serde(rename = $name)] $(#[$of_variant])* $variant,)*
        }

        impl $choice {
            /// Every choice.
            pub const ALL: [Self; [$($name,)*].len()] = [$(Self::$variant,)*];

            /// The name.
            pub fn name(self) -> &'static str {
                self.described()[0]
            }

            /// The name, and what it means.
            pub fn described(self) -> [&'static str; 2] {
                match self {
                    $(Self::$variant => [$name, $meaning],)*
                }
            }
        }
    };
}
