//! The documents as a reader finds them: links lead somewhere, commands run, and sentences are short.
//!
//! A test a page, so that each is seen by itself. `scripts/book` runs the commands that are long, too.

mod commands;
mod files;
mod links;
mod page;
mod sentences;

use libtest_mimic::Arguments;

use page::Page;

fn main() {
    let arguments = Arguments::from_args();
    let pages = Page::all();
    let mut trials = links::trials(&pages);
    trials.extend(sentences::trials(&pages));
    trials.extend(commands::trials(&pages));
    trials.extend(files::trials());
    libtest_mimic::run(&arguments, trials).exit();
}
