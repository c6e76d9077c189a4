//! The closed sets of words that options choose from.

use clap::ValueEnum;

use crate::render::document::Notation;

/// For people or for programs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Output {
    /// For people.
    #[default]
    Text,
    /// One JSON document.
    Json,
    /// The same document as YAML.
    Yaml,
}

impl Output {
    /// How the document is written; none where text is asked for.
    pub(crate) fn notation(self) -> Option<Notation> {
        match self {
            Self::Text => None,
            Self::Json => Some(Notation::Json),
            Self::Yaml => Some(Notation::Yaml),
        }
    }
}

/// How findings are told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Report {
    /// For people.
    #[default]
    Text,
    /// One JSON document.
    Json,
    /// The same document as YAML.
    Yaml,
    /// SARIF 2.1.0, for code review tools.
    Sarif,
}

/// How a graph is drawn.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum GraphFormat {
    /// Graphviz.
    #[default]
    Dot,
    /// Mermaid, which many Markdown viewers draw.
    Mermaid,
    /// A picture.
    Svg,
    /// Nodes and edges as JSON.
    Json,
    /// Nodes and edges as YAML.
    Yaml,
}

/// A summary for a place where text is pasted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Summary {
    /// Markdown, for a pull request.
    Md,
}

/// When to colour.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum ColorChoice {
    /// On a terminal, unless NO_COLOR is set.
    #[default]
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

impl From<ColorChoice> for anstream::ColorChoice {
    fn from(choice: ColorChoice) -> Self {
        match choice {
            ColorChoice::Auto => Self::Auto,
            ColorChoice::Always => Self::Always,
            ColorChoice::Never => Self::Never,
        }
    }
}

/// The cloud of a new spec.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum InitCloud {
    /// Microsoft Azure.
    #[default]
    Azure,
    /// Amazon Web Services.
    Aws,
    /// Google Cloud.
    Gcp,
}

/// A shell that can complete.
pub(crate) use clap_complete::Shell;
