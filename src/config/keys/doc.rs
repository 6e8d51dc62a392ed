//! Descriptions of keys and sections, for the documents.

/// Section of the configuration, as documents show it.
#[derive(Clone, Debug)]
pub struct SectionDoc {
    /// Name of the section.
    pub name: &'static str,
    /// `true` if the section is a list of tables.
    pub is_list: bool,
    /// `true` if there must be such a table, or if a section that is left out has its defaults; `false`: the list may be
    /// empty, so that the example shows the table as a comment.
    pub is_needed: bool,
    /// Purpose of the section.
    pub text: &'static str,
    /// Keys of the section, in the order in which they are read.
    pub keys: Vec<KeyDoc>,
}

/// Key of the configuration, as documents show it.
#[derive(Clone, Debug)]
pub struct KeyDoc {
    /// Name of the key in its section.
    pub name: &'static str,
    /// Effect of the key.
    pub text: &'static str,
    /// Values that the key takes, where the text does not say so: bounds or words.
    pub values: Option<String>,
    /// Value of the key in the example file.
    pub value: ShownValue,
}

/// Value of a key as documents show it, in TOML.
#[derive(Clone, Debug)]
pub enum ShownValue {
    /// Value that the key has where it is not set.
    Default(String),
    /// Placeholder of a value that each operator must fill in.
    Placeholder(&'static str),
    /// Example of a value that need not be set, and has no default.
    Example(&'static str),
}
