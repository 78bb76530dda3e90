//! What the option table is made of.

use crate::value::Value;

/// Whether a changed option takes effect by a reload (SIGHUP).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reload {
    /// At the reload.
    Live,
    /// Only at the next start.
    Restart,
}

/// One option.
#[derive(Clone, Debug)]
pub struct OptionInfo {
    /// `section.key`.
    pub name: String,
    /// Its section.
    pub section: &'static str,
    /// Its key in the section.
    pub key: &'static str,
    /// What it does, as Markdown.
    pub doc: String,
    /// Its type with its units.
    pub what: String,
    /// Its default as TOML; none where it must be given.
    pub default: Option<String>,
    /// Whether a reload applies it.
    pub reload: Reload,
}

/// One section of the file.
#[derive(Clone, Debug)]
pub struct SectionInfo {
    /// Its name.
    pub name: &'static str,
    /// What it is about.
    pub doc: String,
    /// Its options in the order of the table.
    pub options: Vec<OptionInfo>,
}

/// Builds an [`OptionInfo`] for the table.
pub(crate) fn option_info<T: Value>(
    (section, key): (&'static str, &'static str),
    doc: &[&str],
    default: Option<T>,
    reload: Reload,
) -> OptionInfo {
    OptionInfo {
        name: format!("{section}.{key}"),
        section,
        key,
        doc: joined(doc),
        what: T::what(),
        default: default.map(|value| value.show()),
        reload,
    }
}

/// Doc comments come a line at a time, each with a space in front.
pub(crate) fn joined(doc: &[&str]) -> String {
    let lines: Vec<&str> = doc.iter().map(|line| line.strip_prefix(' ').unwrap_or(line)).collect();
    lines.join("\n")
}

/// Declares the sections: a struct for each, [`Config`](crate::Config) over them, how they are read,
/// what is known of each option, and each option's value as TOML. An option is one line with its doc.
macro_rules! sections {
    ($(
        $(#[doc = $section_doc:literal])*
        $section:ident: $Section:ident {
            $( $(#[doc = $doc:literal])* $key:ident: $Kind:ty $(= $default:expr)?, $reload:ident; )*
        }
    )*) => {
        /// The whole configuration, checked.
        #[derive(Clone, Debug, PartialEq)]
        pub struct Config {
            $( $(#[doc = $section_doc])* pub $section: $Section, )*
        }

        $(
            $(#[doc = $section_doc])*
            #[derive(Clone, Debug, PartialEq)]
            pub struct $Section {
                $( $(#[doc = $doc])* pub $key: $Kind, )*
            }
        )*

        impl Config {
            /// Reads every option; mistakes are left with `reader`.
            pub(crate) fn read(reader: &mut $crate::read::Reader<'_>) -> Option<Self> {
                $( let $section = $Section::read(reader); )*
                Some(Self { $( $section: $section?, )* })
            }

            /// Every option's value as TOML, in the order of the table.
            pub(crate) fn shown(&self) -> Vec<String> {
                vec![$( $( $crate::Value::show(&self.$section.$key), )* )*]
            }
        }

        $(
            impl $Section {
                pub(crate) fn read(reader: &mut $crate::read::Reader<'_>) -> Option<Self> {
                    const SECTION: &str = stringify!($section);
                    $( let $key = reader.option(
                        (SECTION, stringify!($key)),
                        sections!(@default $Kind $(, $default)?),
                    ); )*
                    Some(Self { $( $key: $key?, )* })
                }
            }
        )*

        /// Every section with its options.
        pub fn sections() -> Vec<$crate::SectionInfo> {
            vec![$( $crate::SectionInfo {
                name: stringify!($section),
                doc: $crate::define::joined(&[$($section_doc),*]),
                options: vec![$( $crate::define::option_info::<$Kind>(
                    (stringify!($section), stringify!($key)),
                    &[$($doc),*],
                    sections!(@default $Kind $(, $default)?),
                    sections!(@reload $reload),
                ), )*],
            }, )*]
        }
    };
    (@default $Kind:ty) => { None::<$Kind> };
    (@default $Kind:ty, $default:expr) => { Some::<$Kind>($default) };
    (@reload live) => { $crate::Reload::Live };
    (@reload restart) => { $crate::Reload::Restart };
}
pub(crate) use sections;
