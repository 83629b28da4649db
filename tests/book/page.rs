//! Pages, read by a parser of Markdown.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use pulldown_cmark::{CodeBlockKind, Event, Options, Parser, Tag, TagEnd};

/// Pages beside the book.
const BESIDE: [&str; 4] = ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "CHANGELOG.md"];

/// A link or a picture.
#[derive(Clone)]
pub struct Link {
    /// Line of the page, from 1.
    pub line: usize,
    /// What it leads to, as it is written.
    pub to: String,
    /// The words of the link, or the alt text of the picture.
    pub text: String,
    pub is_picture: bool,
}

/// A block of code.
#[derive(Clone)]
pub struct Block {
    pub line: usize,
    /// Words behind the fence; `None` for an indented block.
    pub language: Option<String>,
    pub text: String,
}

/// A page with what the tests look at.
#[derive(Clone, Default)]
pub struct Page {
    /// Path in the repository, with `/`.
    pub name: String,
    pub links: Vec<Link>,
    pub anchors: Vec<String>,
    pub blocks: Vec<Block>,
    /// Paragraphs and items of lists, with an `X` for what is code.
    pub paragraphs: Vec<(usize, String)>,
}

/// The repository.
pub fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

impl Page {
    /// All pages: those of the book, and those beside it.
    pub fn all() -> Vec<Self> {
        let mut names: Vec<String> = BESIDE.iter().map(ToString::to_string).collect();
        under(Path::new("docs"), &mut names);
        names.sort();
        names.iter().map(|name| Self::read(name)).collect()
    }

    /// Whether it is part of the book.
    pub fn is_of_book(&self) -> bool {
        self.name.starts_with("docs/") && self.name != "docs/SUMMARY.md"
    }

    fn read(name: &str) -> Self {
        let text = std::fs::read_to_string(root().join(name)).unwrap_or_else(|e| panic!("{name}: {e}"));
        Self::parse(name, &text)
    }

    /// Reads a text as the page of this name.
    pub fn parse(name: &str, text: &str) -> Self {
        let starts: Vec<usize> = std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1)).collect();
        let options = Options::ENABLE_TABLES | Options::ENABLE_FOOTNOTES | Options::ENABLE_STRIKETHROUGH;
        let mut reader = Reader::default();
        for (event, range) in Parser::new_ext(text, options).into_offset_iter() {
            reader.line = starts.partition_point(|start| *start <= range.start);
            reader.take(event);
        }
        reader.end_paragraph();
        reader.page.name = name.into();
        reader.page
    }
}

/// The state of reading a page.
#[derive(Default)]
struct Reader {
    page: Page,
    line: usize,
    /// Words of the paragraph so far, and where it began.
    paragraph: String,
    began: usize,
    /// Words of the heading so far.
    heading: Option<String>,
    /// Links and pictures that are open.
    open: Vec<Link>,
    block: Option<Block>,
    tables: usize,
    /// How often each heading was there.
    headings: BTreeMap<String, usize>,
}

impl Reader {
    fn take(&mut self, event: Event) {
        match event {
            Event::Start(tag) => self.start(tag),
            Event::End(tag) => self.end(tag),
            Event::Text(text) => self.text(&text, &text),
            Event::Code(code) => self.text(&code, "X"),
            Event::SoftBreak | Event::HardBreak => self.text(" ", " "),
            _ => {}
        }
    }

    fn start(&mut self, tag: Tag) {
        match tag {
            Tag::Link { dest_url, .. } => self.open(&dest_url, false),
            Tag::Image { dest_url, .. } => self.open(&dest_url, true),
            Tag::Heading { .. } => {
                self.end_paragraph();
                self.heading = Some(String::new());
            }
            Tag::CodeBlock(kind) => {
                self.end_paragraph();
                let language = match kind {
                    CodeBlockKind::Fenced(language) => Some(language.to_string()),
                    CodeBlockKind::Indented => None,
                };
                self.block = Some(Block { line: self.line, language, text: String::new() });
            }
            Tag::Table(_) => {
                self.end_paragraph();
                self.tables += 1;
            }
            Tag::Paragraph | Tag::Item | Tag::List(_) | Tag::BlockQuote(_) => self.end_paragraph(),
            _ => {}
        }
    }

    fn end(&mut self, tag: TagEnd) {
        match tag {
            TagEnd::Link | TagEnd::Image => self.page.links.extend(self.open.pop()),
            TagEnd::Heading(_) => {
                let heading = self.heading.take().unwrap_or_default();
                self.anchor(&heading);
            }
            TagEnd::CodeBlock => self.page.blocks.extend(self.block.take()),
            TagEnd::Table => self.tables -= 1,
            TagEnd::Paragraph | TagEnd::Item | TagEnd::List(_) | TagEnd::BlockQuote(_) => self.end_paragraph(),
            _ => {}
        }
    }

    fn open(&mut self, to: &str, is_picture: bool) {
        self.open.push(Link { line: self.line, to: to.into(), text: String::new(), is_picture });
    }

    /// Takes words as they are written, and as they stand in a sentence.
    fn text(&mut self, written: &str, said: &str) {
        if let Some(block) = &mut self.block {
            block.text += written;
            return;
        }
        for link in &mut self.open {
            link.text += written;
        }
        if let Some(heading) = &mut self.heading {
            *heading += written;
        } else if self.tables == 0 && self.open.iter().all(|link| !link.is_picture) {
            if self.paragraph.is_empty() {
                self.began = self.line;
            }
            self.paragraph += said;
        }
    }

    fn end_paragraph(&mut self) {
        let paragraph = std::mem::take(&mut self.paragraph);
        if !paragraph.trim().is_empty() {
            self.page.paragraphs.push((self.began, paragraph));
        }
    }

    /// Adds the name by which links reach a heading.
    fn anchor(&mut self, heading: &str) {
        let kept = heading.trim().chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
        let name: String = kept.map(|c| if c == ' ' { '-' } else { c }).collect::<String>().to_lowercase();
        let before = self.headings.entry(name.clone()).or_default();
        self.page.anchors.push(match *before {
            0 => name,
            count => format!("{name}-{count}"),
        });
        *before += 1;
    }
}

/// Adds the pages of a folder and of the folders in it.
fn under(folder: &Path, names: &mut Vec<String>) {
    let entries = std::fs::read_dir(root().join(folder)).unwrap_or_else(|e| panic!("{}: {e}", folder.display()));
    for entry in entries.map(|entry| entry.expect("an entry")) {
        let path = folder.join(entry.file_name());
        if root().join(&path).is_dir() {
            under(&path, names);
        } else if path.extension().is_some_and(|extension| extension == "md") {
            names.push(path.components().map(|part| part.as_os_str().to_string_lossy()).collect::<Vec<_>>().join("/"));
        }
    }
}
