//! The documents as a reader finds them: links lead somewhere, commands run, and sentences are short.
//!
//! A test a page, so that each is seen by itself. `scripts/book` runs the commands that are long, too.

mod commands;
mod files;
mod links;
mod page;
mod sentences;

use libtest_mimic::{Arguments, Trial};

use page::Page;

/// Pages that are still to be written in the book's form. Their blocks of code and the length of their sentences are not looked at.
const PENDING: [&str; 3] = ["ARCHITECTURE.md", "CHANGELOG.md", "CONTRIBUTING.md"];

fn main() {
    let arguments = Arguments::from_args();
    let pages = Page::all();
    let mut trials = links::trials(&pages);
    trials.extend(sentences::trials(&pages));
    trials.extend(commands::trials(&pages));
    trials.extend(files::trials());
    trials.push(Trial::test("pending::are_pages", move || pending_are_pages(&pages)));
    libtest_mimic::run(&arguments, trials).exit();
}

fn pending_are_pages(pages: &[Page]) -> Result<(), libtest_mimic::Failed> {
    match PENDING.iter().find(|name| pages.iter().all(|page| page.name != **name)) {
        Some(name) => Err(format!("{name} is no page").into()),
        None => Ok(()),
    }
}
