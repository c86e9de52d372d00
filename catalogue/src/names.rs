//! The shape that actions and error types share: a closed set of stable names.

/// Declares an enum with the stable name and the meaning of each variant; both are what `docs/dictionary.md` publishes.
macro_rules! names {
    ($(#[$attribute:meta])* $set:ident { $($variant:ident = $name:literal, $meaning:literal;)* }) => {
        $(#[$attribute])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum $set {
            $(#[doc = $meaning] $variant,)*
        }

        impl $set {
            /// Every variant, in the dictionary's order.
            pub const ALL: [Self; [$($name),*].len()] = [$(Self::$variant),*];

            /// The variant of this stable name, or `None`.
            #[must_use]
            pub fn from_name(name: &str) -> Option<Self> {
                Self::ALL.into_iter().find(|variant| variant.name() == name)
            }

            /// The stable name.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)*
                }
            }

            /// The meaning, in one or two sentences.
            #[must_use]
            pub const fn meaning(self) -> &'static str {
                match self {
                    $(Self::$variant => $meaning,)*
                }
            }
        }

        impl std::fmt::Display for $set {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.name())
            }
        }
    };
}

pub(crate) use names;
