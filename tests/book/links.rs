//! Every link leads to a file and to a heading of it, every page is in the table of contents, and every picture has an alt text.

use std::collections::BTreeSet;
use std::path::{Component, Path};

use libtest_mimic::{Failed, Trial};

use crate::page::{Link, Page, root};

/// Languages of blocks: commands that are run, commands that `scripts/book` runs, what is printed, and files.
const LANGUAGES: [&str; 9] = ["sh", "sh,long", "text", "rust", "rust,no_run", "rust,ignore", "python", "toml", "json"];

/// Tests of every page, and one of the table of contents.
pub fn trials(pages: &[Page]) -> Vec<Trial> {
    let of_page = |page: &Page| {
        let (page, all) = (page.clone(), pages.to_vec());
        Trial::test(format!("links::{}", page.name), move || faults(&page, &all))
    };
    let mut trials: Vec<Trial> = pages.iter().map(of_page).collect();
    let all = pages.to_vec();
    trials.push(Trial::test("links::every_page_is_in_the_table_of_contents", move || contents(&all)));
    let all = pages.to_vec();
    trials.push(Trial::test("links::faults_are_found", move || faults_are_found(&all)));
    trials
}

fn faults(page: &Page, pages: &[Page]) -> Result<(), Failed> {
    let mut faults: Vec<String> = page.links.iter().filter_map(|link| fault(page, link, pages)).collect();
    for block in &page.blocks {
        let language = block.language.as_deref().unwrap_or("indented");
        if !LANGUAGES.contains(&language) {
            faults.push(format!("{}: the block is {language:?}, and not one of {LANGUAGES:?}", block.line));
        }
    }
    match faults.is_empty() {
        true => Ok(()),
        false => Err(format!("{}:\n{}", page.name, faults.join("\n")).into()),
    }
}

/// What is wrong with a link.
fn fault(page: &Page, link: &Link, pages: &[Page]) -> Option<String> {
    let why = |why: &str| Some(format!("{}: {}: {why}", link.line, link.to));
    if link.is_picture && link.text.trim().is_empty() {
        return why("the picture has no alt text");
    }
    if link.to.contains("://") || link.to.starts_with("mailto:") {
        return None;
    }
    let (file, anchor) =
        link.to.split_once('#').map_or((link.to.as_str(), None), |(file, anchor)| (file, Some(anchor)));
    if file.is_empty() && anchor.is_none() {
        // The table of contents may have a heading without a page.
        return (page.name != "docs/SUMMARY.md").then(|| format!("{}: the link is empty", link.line));
    }
    let Some(target) = resolved(&page.name, file) else { return why("it leads out of the repository") };
    let is_page = pages.iter().any(|page| page.name == target);
    if !is_page && !root().join(&target).exists() {
        return why("there is no such file");
    }
    if page.name.starts_with("docs/") && !target.starts_with("docs/") {
        return why("it leads out of the book; name the file in place of linking to it");
    }
    let anchor = anchor?;
    match pages.iter().find(|page| page.name == target) {
        Some(page) if page.anchors.iter().any(|known| known == anchor) => None,
        _ => why("there is no such heading"),
    }
}

/// The path in the repository that a link of a page leads to.
fn resolved(page: &str, file: &str) -> Option<String> {
    if file.is_empty() {
        return Some(page.to_string());
    }
    let mut parts: Vec<String> = Vec::new();
    for part in Path::new(page).parent()?.join(file).components() {
        match part {
            Component::Normal(name) => parts.push(name.to_str()?.to_string()),
            Component::ParentDir => drop(parts.pop()?),
            Component::CurDir => {}
            Component::RootDir | Component::Prefix(_) => return None,
        }
    }
    Some(parts.join("/"))
}

/// Each of these pages has one fault, but for the last.
fn faults_are_found(pages: &[Page]) -> Result<(), Failed> {
    let text = [
        "[a](none.md)",
        "[a](#none)",
        "[a](exit-codes.md#none)",
        "![](../samples.png)",
        "[a](../../README.md)",
        "[a](../../../../../none)",
        "    indented",
        "```console\na\n```",
        "## A `b` (c)\n\n[a](#a-b-c) [b](exit-codes.md#exit-codes) ![c](../samples.png)\n\n```sh\na\n```",
    ];
    for (number, text) in text.iter().enumerate() {
        let page = Page::parse("docs/reference/planted.md", text);
        let mut pages = pages.to_vec();
        pages.push(page.clone());
        if faults(&page, &pages).is_err() != (number < 8) {
            return Err(format!("{text}: {:?}", faults(&page, &pages)).into());
        }
    }
    Ok(())
}

fn contents(pages: &[Page]) -> Result<(), Failed> {
    let summary = pages.iter().find(|page| page.name == "docs/SUMMARY.md").ok_or("there is no docs/SUMMARY.md")?;
    let listed: Vec<String> = summary
        .links
        .iter()
        .filter(|link| !link.to.is_empty())
        .filter_map(|link| resolved(&summary.name, &link.to))
        .collect();
    let once: BTreeSet<&str> = listed.iter().map(String::as_str).collect();
    let pages: BTreeSet<&str> = pages.iter().filter(|page| page.is_of_book()).map(|page| page.name.as_str()).collect();
    let missing: Vec<_> = pages.difference(&once).collect();
    let unknown: Vec<_> = once.difference(&pages).collect();
    if !missing.is_empty() || !unknown.is_empty() {
        return Err(format!("docs/SUMMARY.md does not list {missing:?}, and lists {unknown:?}").into());
    }
    match once.len() == listed.len() {
        true => Ok(()),
        false => Err("docs/SUMMARY.md lists a page twice".into()),
    }
}
