//! Commands of pages, run as a reader would type them, one after another in an empty folder.

use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::Instant;

use libtest_mimic::{Failed, Trial};

use crate::page::{Block, Page, root};

/// How README runs the program, which has no other place yet.
const FROM_SOURCE: &str = "cargo run --release -- ";

/// Data that a reader has and this project has not.
const OF_READERS: &str = "path/to/";

/// Set by `scripts/book`: commands that are long run too, in a copy of the repository, on the device that a reader would have.
fn with_long() -> bool {
    std::env::var_os("WGVAE_BOOK_LONG").is_some()
}

/// A test for each page that has commands.
pub fn trials(pages: &[Page]) -> Vec<Trial> {
    if !cfg!(unix) {
        return Vec::new();
    }
    let with_commands = pages.iter().filter(|page| page.blocks.iter().any(is_run)).cloned();
    let trial = |page: Page| Trial::test(format!("commands::{}", page.name), move || run(&page));
    let trials = with_commands.map(trial);
    trials.chain([Trial::test("commands::that_fail_are_found", that_fail_are_found)]).collect()
}

fn that_fail_are_found() -> Result<(), Failed> {
    let page = |last: &str| {
        Page::parse(
            "planted.md",
            &format!("```sh\necho one > file\nwgvae --version\n```\n\n```sh\ncat file\n{last}\n```\n"),
        )
    };
    run(&page("true"))?;
    match run(&page("wgvae none")).err().and_then(|failed| failed.message().map(ToString::to_string)) {
        Some(told) if told.contains("planted.md:6") && told.contains("one\n") && told.contains("wgvae none") => Ok(()),
        told => Err(format!("{told:?}").into()),
    }
}

fn is_run(block: &Block) -> bool {
    match block.language.as_deref() {
        Some("sh") => true,
        Some("sh,long") => with_long() && !block.text.contains(OF_READERS),
        _ => false,
    }
}

fn run(page: &Page) -> Result<(), Failed> {
    let folder = tempfile::tempdir()?;
    let place = folder.path().join("place");
    place_for(&place)?;
    let mut failures = Vec::new();
    for block in page.blocks.iter().filter(|block| is_run(block)) {
        let commands = block.text.replace(FROM_SOURCE, "wgvae ");
        let began = Instant::now();
        let output = shell(&commands, &place, folder.path())?;
        let told = told(page, block, &output);
        if with_long() {
            println!("{told}-- {:.1} s, {}\n", began.elapsed().as_secs_f64(), output.status);
        }
        if !output.status.success() {
            failures.push(told);
            // What comes behind may need what is missing now; a log shows all of it.
            if !with_long() {
                break;
            }
        }
    }
    match failures.is_empty() {
        true => Ok(()),
        false => Err(failures.join("\n").into()),
    }
}

/// Makes the folder that commands run in: empty, or a copy of the repository.
fn place_for(place: &Path) -> Result<(), Failed> {
    if !with_long() {
        return Ok(std::fs::create_dir(place)?);
    }
    let mut clone = Command::new("git");
    let output = clone.args(["clone", "--quiet", "--local"]).arg(root()).arg(place).output()?;
    match output.status.success() {
        true => Ok(()),
        false => Err(String::from_utf8_lossy(&output.stderr).into_owned().into()),
    }
}

/// Runs commands, each printed before it runs; the first that fails ends them.
fn shell(commands: &str, place: &Path, folder: &Path) -> std::io::Result<Output> {
    let program = Path::new(env!("CARGO_BIN_EXE_wgvae"));
    let target = program.parent().and_then(Path::parent).unwrap_or(program);
    let mut path = program.parent().unwrap_or(program).as_os_str().to_os_string();
    if let Some(others) = std::env::var_os("PATH") {
        path.push(":");
        path.push(others);
    }
    let mut bash = Command::new("bash");
    for variable in ["WGVAE_DATA", "WGVAE_SEED", "WGVAE_OUT", "WGVAE_DEVICE", "WGPU_ADAPTER_NAME"] {
        bash.env_remove(variable);
    }
    if !with_long() {
        // Tuning has tests of its own, and adapters too.
        bash.env("WGVAE_TUNE", "off").env("WGVAE_DEVICE", "cpu");
    }
    // Both outputs, and the commands, in the order in which they were written.
    bash.args(["-c", "exec bash -evc \"$0\" 2>&1", commands]).env("PATH", path).env("CARGO_TARGET_DIR", target);
    bash.env("WGVAE_CACHE", folder.join("cache")).current_dir(place).stdin(Stdio::null()).output()
}

fn told(page: &Page, block: &Block, output: &Output) -> String {
    format!("== {}:{}\n{}", page.name, block.line, String::from_utf8_lossy(&output.stdout))
}
